package check

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxReason = 240 // bytes of a reason
	maxQuote  = 48  // bytes that are quoted of an answer
)

// Unwell is an answer, and not the wanted one: who gave it says itself that it is not well.
// It may be about to stop, and answer what it has before.
type Unwell struct{ words string }

func unwell(format string, args ...any) error { return &Unwell{fmt.Sprintf(format, args...)} }

// Error implements error.
func (u *Unwell) Error() string { return u.words }

// Reason is why something is not well, fit to be shown: one line of at most 240 bytes, valid
// UTF-8, without control characters, whatever was answered.
func Reason(err error) string {
	s := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, err.Error())
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxReason {
		return s
	}
	return cut(s, maxReason-len("…")) + "…"
}

// quote shows the beginning of an answer.
func quote(b []byte) string {
	if len(b) <= maxQuote {
		return strconv.QuoteToASCII(string(b))
	}
	q := strconv.QuoteToASCII(cut(string(b), maxQuote))
	return strings.TrimSuffix(q, `"`) + `…"`
}

// cut takes the first n bytes of s, or a few less where that would halve a character.
func cut(s string, n int) string {
	for less := range utf8.UTFMax {
		if utf8.RuneStart(s[n-less]) {
			return s[:n-less]
		}
	}
	return s[:n] // it is no text
}
