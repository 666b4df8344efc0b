package config

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"
)

// place is where something stands: in a line of a file, or in a flag.
type place struct {
	file   string
	line   int // 1-based; 0 for flags
	col    int // 1-based, in characters
	width  int // in characters
	source string
}

// error makes an Error that points at the place.
func (p place) error(msg, remedy string) *Error {
	return &Error{File: p.file, Line: p.line, Col: p.col, Width: p.width, Source: p.source, Msg: msg, Remedy: remedy}
}

// source is a file's text, cut into lines once.
type source struct {
	file   string
	data   []byte
	starts []int   // offset of each line's first byte
	shown  *source // the text as the user wrote it, where this one was repaired
}

func newSource(file string, data []byte) *source {
	s := &source{file: file, data: data, starts: []int{0}}
	s.shown = s
	for i, c := range data {
		if c == '\n' {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// line returns the 1-based number of the line that holds the offset.
func (s *source) line(offset int) int {
	return sort.Search(len(s.starts), func(i int) bool { return s.starts[i] > offset })
}

// span returns the first byte of a line and the byte after its last, without
// the newline.
func (s *source) span(line int) (from, to int) {
	from, to = s.starts[line-1], len(s.data)
	if line < len(s.starts) {
		to = s.starts[line] - 1
	}
	return from, from + len(bytes.TrimSuffix(s.data[from:to], []byte("\r")))
}

// at returns the place of length bytes from offset on. What reaches beyond
// the line is cut.
func (s *source) at(offset, length int) place {
	offset = min(offset, len(s.data))
	line := s.line(offset)
	from, to := s.span(line)
	start := min(offset, to)
	end := max(start, min(offset+length, to))
	return place{
		file:   s.file,
		line:   line,
		col:    utf8.RuneCount(s.data[from:start]) + 1,
		width:  max(1, min(utf8.RuneCount(s.data[start:end]), maxShown)),
		source: s.shown.text(line),
	}
}

// text returns a line, fit for a terminal.
func (s *source) text(line int) string {
	from, to := s.span(line)
	return printable(string(s.data[from:to]))
}

// maxShown is how much of a line errors show; hand-written ones are shorter.
const maxShown = 200 // characters

// printable keeps control characters of a broken file away from the terminal,
// and endless lines. One character stays one character, so that columns keep
// their meaning.
func printable(line string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		n++
		switch {
		case n > maxShown:
			return -1
		case n == maxShown:
			return '…'
		case r == utf8.RuneError || r != '\t' && r < ' ' || r >= 0x7f && r < 0xa0:
			return '?'
		default:
			return r
		}
	}, line)
}
