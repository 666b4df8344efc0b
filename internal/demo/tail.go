package demo

import (
	"bytes"
	"sync"
)

// Bounds of what a tail keeps.
const (
	tailLines = 200
	lineMax   = 2000 // bytes; the rest of a longer line is dropped
)

// tail keeps the last lines that were written to it. It may be written and
// read from any goroutine.
type tail struct {
	mu    sync.Mutex // protects what follows
	lines []string
	part  []byte // the line that has not ended
}

// Write takes all of b.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte{'\n'})
		t.part = append(t.part, line[:min(len(line), lineMax-len(t.part))]...)
		if ended {
			t.add(string(t.part))
			t.part = t.part[:0]
		}
		b = rest
	}
	return n, nil
}

func (t *tail) add(line string) {
	if len(t.lines) >= tailLines {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, line)
}

// last returns the last n lines, one that has not ended included.
func (t *tail) last(n int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.lines
	if len(t.part) > 0 {
		all = append(all[:len(all):len(all)], string(t.part))
	}
	return append([]string(nil), all[max(0, len(all)-n):]...)
}
