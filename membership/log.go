package membership

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"time"
)

// mlLog turns memberlist's lines ("[WARN] memberlist: text") into records. Nothing that memberlist reports calls for
// action by itself (it goes on trying, and what matters comes as an Event or from the rejoin loop), so its errors
// become warnings.
//
// A stranger can make memberlist log a line with each packet; so at most maxLines get through per linesPer.
type mlLog struct {
	log       *slog.Logger
	suspected func(wire string)
	closed    <-chan struct{} // after that, errors are of the end itself

	window time.Time // when the present linesPer began; log.Logger calls Write one at a time
	lines  int       // in it, without those of level debug
}

const (
	maxLines = 50
	linesPer = 10 * time.Second
)

// newLogger returns the logger that memberlist wants. suspected is called with the wire name of each member whose
// probe went unanswered: memberlist tells that to its log only. What it finds wrong once closed is closed is worth no
// more than level debug: its probes run into sockets that are not there any more.
func newLogger(to *slog.Logger, suspected func(wire string), closed <-chan struct{}) *log.Logger {
	return log.New(&mlLog{log: to, suspected: suspected, closed: closed}, "", 0)
}

// Write takes one line.
func (l *mlLog) Write(p []byte) (int, error) {
	level, text := parseLine(string(p))
	if rest, ok := strings.CutPrefix(text, "Suspect "); ok {
		if wire, ok := strings.CutSuffix(rest, " has failed, no acks received"); ok {
			l.suspected(wire)
		}
	}
	// A restarted member is probed under its old name for a second or two: nothing to warn of.
	if strings.HasPrefix(text, "Got ping for unexpected node") {
		level = slog.LevelDebug
	}
	select {
	case <-l.closed:
		level = slog.LevelDebug
	default:
	}
	if level == slog.LevelDebug || l.admit() {
		l.log.Log(context.Background(), level, text, "from", "memberlist")
	}
	return len(p), nil
}

// admit counts a line and reports whether it may be logged.
func (l *mlLog) admit() bool {
	now := time.Now()
	if now.Sub(l.window) >= linesPer {
		if l.lines > maxLines {
			l.log.Warn("lines were left out", "count", l.lines-maxLines, "from", "memberlist")
		}
		l.window, l.lines = now, 0
	}
	l.lines++
	return l.lines <= maxLines
}

// parseLine splits a line of memberlist's into level and text. A line without a known level is a warning.
func parseLine(line string) (slog.Level, string) {
	line = strings.TrimSpace(line)
	level := slog.LevelWarn
	if word, rest, ok := strings.Cut(line, "] "); ok && strings.HasPrefix(word, "[") {
		switch word[1:] {
		case "DEBUG":
			level, line = slog.LevelDebug, rest
		case "INFO":
			level, line = slog.LevelInfo, rest
		case "WARN", "ERR", "ERROR":
			line = rest
		}
	}
	return level, strings.TrimPrefix(line, "memberlist: ")
}
