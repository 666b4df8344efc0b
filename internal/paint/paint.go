// Package paint colours words for people at a terminal, and decides in one place when: where the output is a
// terminal, NO_COLOR is empty or unset (https://no-color.org), and TERM is not "dumb".
//
// Colours are the eight that every terminal has (ECMA-48, SGR), so that its own theme holds. They only repeat what the
// words say: who sees none misses nothing.
package paint

import (
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Ink paints words, or leaves them as they are where it is false.
type Ink bool

// To is the ink for what is written to w: coloured for a terminal that shows colours, and as [With] says.
func To(w io.Writer) Ink {
	switch w := w.(type) {
	case inked:
		return w.ink
	case *os.File:
		return Ink(os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(w.Fd())))
	}
	return false
}

// With is w, for which [To] returns ink: a buffer whose text a terminal gets later.
func With(w io.Writer, ink Ink) io.Writer { return inked{w, ink} }

type inked struct {
	io.Writer
	ink Ink
}

const reset = "\x1b[0m"

func (i Ink) paint(code, s string) string {
	if !i || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + reset
}

// Bold is for headings, and what the eye shall find first.
func (i Ink) Bold(s string) string { return i.paint("1", s) }

// Dim is for what is seldom read.
func (i Ink) Dim(s string) string { return i.paint("2", s) }

// Red is for what is broken.
func (i Ink) Red(s string) string { return i.paint("31", s) }

// Green is for what is as it should be.
func (i Ink) Green(s string) string { return i.paint("32", s) }

// Yellow is for what somebody should look at.
func (i Ink) Yellow(s string) string { return i.paint("33", s) }

// Cyan is for what is neither, and yet apart.
func (i Ink) Cyan(s string) string { return i.paint("36", s) }

var codes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Width is how many characters of s are seen: colours have no width.
func Width(s string) int { return utf8.RuneCountInString(codes.ReplaceAllString(s, "")) }

// Cut shortens s to width characters, 0 or more, of which the last is then an ellipsis. No colour goes on behind it.
func Cut(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	var b strings.Builder
	painted := false
	for left := width - 1; left > 0; {
		if at := codes.FindStringIndex(s); at != nil && at[0] == 0 {
			b.WriteString(s[:at[1]])
			painted, s = s[:at[1]] != reset, s[at[1]:]
			continue
		}
		_, n := utf8.DecodeRuneInString(s)
		b.WriteString(s[:n])
		s = s[n:]
		left--
	}
	if width > 0 {
		b.WriteString("…")
	}
	if painted {
		b.WriteString(reset)
	}
	return b.String()
}
