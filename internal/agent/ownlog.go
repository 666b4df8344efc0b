package agent

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/tandem-lb/tandem/internal/agent/lines"
	"github.com/tandem-lb/tandem/internal/agent/syslog"
)

// ownProcess is under which name the agent's own lines stand among those of its processes.
const ownProcess = "tandem"

// ownLog passes the agent's own log on, and keeps its lines with those of the processes: why an app was restarted is
// looked for where the app's last words are.
type ownLog struct {
	slog.Handler // where the log goes in any case
	kept         slog.Handler
}

// withOwn returns a log that goes where log does, and to o.
func (o *output) withOwn(log *slog.Logger) *slog.Logger {
	text := slog.NewTextHandler(ownLines{o}, &slog.HandlerOptions{
		Level: slog.LevelDebug, // the other handler decides
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{} // each line has its own
			}
			return a
		},
	})
	return slog.New(ownLog{log.Handler(), text})
}

func (l ownLog) Handle(ctx context.Context, r slog.Record) error {
	_ = l.kept.Handle(ctx, r) // it cannot fail
	return l.Handler.Handle(ctx, r)
}

func (l ownLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return ownLog{l.Handler.WithAttrs(attrs), l.kept.WithAttrs(attrs)}
}

func (l ownLog) WithGroup(name string) slog.Handler {
	return ownLog{l.Handler.WithGroup(name), l.kept.WithGroup(name)}
}

// ownLines takes the text handler's lines, one with each Write.
type ownLines struct{ *output }

func (o ownLines) Write(p []byte) (int, error) {
	text := bytes.TrimSuffix(p, []byte("\n"))
	l := lines.Line{Time: time.Now(), Process: ownProcess, Stream: "err", Text: string(text[:min(len(text), o.maxLine)]), Cut: len(text) > o.maxLine}
	o.ring.Add(l)
	if o.sender != nil {
		o.sender.Send(syslog.Message{Time: l.Time, App: l.Process, Failing: bytes.Contains(text, []byte("level=ERROR")), Text: l.Text})
	}
	return len(p), nil
}
