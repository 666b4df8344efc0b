// Package lines is what becomes of the text that processes print: a [Splitter] makes lines of it, of bounded length,
// and a [Ring] keeps the newest of them, in bounded memory, for whoever asks later.
package lines

import (
	"bytes"
	"time"
)

// Line is one line that a process has printed, or a piece of one that was too long.
type Line struct {
	Seq     uint64    // 1 for the first of a Ring, and so on
	Time    time.Time // when its end was read
	Process string
	Stream  string // "out" or "err"
	Text    string // without the newline
	Cut     bool   // the line goes on in the next one of this process and stream
}

// Splitter cuts what is written to it into lines. One goroutine uses it.
type Splitter struct {
	max  int
	emit func(text []byte, cut bool)
	held []byte // a line that has not ended; always shorter than max
}

// NewSplitter calls emit with each line, without its newline and a carriage return before that; a line longer than max
// bytes, at least 1, comes in pieces, of which all but the last are cut. emit must not keep text.
func NewSplitter(max int, emit func(text []byte, cut bool)) *Splitter {
	return &Splitter{max: max, emit: emit}
}

// Write takes a piece of text; it never fails.
func (s *Splitter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p
		end := bytes.IndexByte(p, '\n')
		if end >= 0 {
			part = p[:end]
		}
		if room := s.max - len(s.held); len(part) > room {
			part = part[:room]
			s.held = append(s.held, part...)
			s.emit(s.held, true)
			s.held, p = s.held[:0], p[room:]
			continue
		}
		s.held = append(s.held, part...)
		if end < 0 {
			break
		}
		s.emit(bytes.TrimSuffix(s.held, []byte("\r")), false)
		s.held, p = s.held[:0], p[end+1:]
	}
	return n, nil
}

// End emits what was written after the last newline.
func (s *Splitter) End() {
	if len(s.held) > 0 {
		s.emit(s.held, false)
		s.held = s.held[:0]
	}
}
