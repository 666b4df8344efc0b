package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one thing wrong with a configuration, and where.
type Error struct {
	File   string `json:"file"`             // path, or the flag ("--vip") when there is no file
	Line   int    `json:"line,omitempty"`   // 1-based; 0 when it concerns no single line
	Col    int    `json:"col,omitempty"`    // 1-based, in characters
	Width  int    `json:"width,omitempty"`  // how many characters of it are meant
	Source string `json:"source,omitempty"` // the line itself, its first 200 characters
	Msg    string `json:"msg"`              // what is wrong
	Remedy string `json:"remedy,omitempty"` // what to do about it
}

// Error returns the message with its line, a caret below the place, and the
// remedy:
//
//	tandem.toml:12: unknown key "adress"
//	    12 | adress = "192.168.42.42"
//	       | ^^^^^^
//	    did you mean "address"?
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	fmt.Fprintf(&b, ": %s", e.Msg)
	if e.Source != "" {
		number := ""
		if e.Line > 0 {
			number = strconv.Itoa(e.Line)
		}
		fmt.Fprintf(&b, "\n  %4s | %s", number, e.Source)
		if left := utf8.RuneCountInString(e.Source) - e.Col + 1; left >= 0 {
			fmt.Fprintf(&b, "\n  %4s | %s%s", "", indent(e.Source, e.Col-1), strings.Repeat("^", max(1, min(e.Width, left))))
		}
	}
	if e.Remedy != "" {
		fmt.Fprintf(&b, "\n       %s", e.Remedy)
	}
	return b.String()
}

// indent returns white space as wide as the first n characters of line: tabs
// stay tabs, so that the caret stands right whatever the terminal's tab width.
func indent(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n <= 0 {
			break
		}
		n--
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// Errors is everything wrong with a configuration, in the order of the file.
// It is the only error type that [Load], [Parse], [FromFlags] and
// [Config.Apply] return, and never empty then.
type Errors []*Error

// Error returns all of them, one below the other.
func (es Errors) Error() string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = e.Error()
	}
	return strings.Join(parts, "\n")
}
