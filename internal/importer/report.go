package importer

import (
	"cmp"
	"slices"
	"strings"
)

// What became of a line.
const (
	Taken   = "taken"   // it means the same now
	Changed = "changed" // it is there, and means something a little else
	Left    = "left"    // it is not there
)

// Item is what became of one line of a source.
type Item struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // 1-based; 0: of no line, added here
	Text   string `json:"text"` // its first 200 characters
	Became string `json:"became"`
	Note   string `json:"note,omitempty"`    // what it is now, or why it is not
	LetsIn bool   `json:"lets_in,omitempty"` // it refused requests that nothing refuses now
}

// letsIn begins the reason why a line was left that has refused something.
const letsIn = "what it refused is let in now: "

// Result is a configuration and how it came about.
type Result struct {
	TOML   string `json:"toml"`
	Report []Item `json:"report"` // in the order of the sources
}

// place is a line of a source.
type place struct {
	file string
	line int
	text string
}

// maxText bounds what the report repeats of a line.
const maxText = 200

func (p place) item(became, note string) Item {
	return Item{
		File: p.file, Line: p.line, Text: cut(hideSecrets(p.text)), Became: became, Note: note,
		LetsIn: became == Left && strings.HasPrefix(note, letsIn),
	}
}

// secretWords are followed by what a report must not repeat.
var secretWords = []string{"auth_pass", "password", "insecure-password", "auth", "auth_hmac", "key"}

func hideSecrets(s string) string {
	for i, w := range strings.Fields(s) {
		if slices.Contains(secretWords, w) {
			return strings.Join(strings.Fields(s)[:i+1], " ") + " …"
		}
	}
	return s
}

func cut(s string) string {
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText]) + "…"
	}
	return s
}

// sorted puts the items in order, and keeps the last word about each line.
func sorted(all []Item, files []string) []Item {
	slices.SortStableFunc(all, func(a, b Item) int {
		return cmp.Or(cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)), cmp.Compare(a.Line, b.Line))
	})
	var out []Item
	for _, i := range all {
		if n := len(out); n > 0 && i.Line > 0 && out[n-1].Line == i.Line && out[n-1].File == i.File {
			out[n-1] = i
			continue
		}
		out = append(out, i)
	}
	return out
}
