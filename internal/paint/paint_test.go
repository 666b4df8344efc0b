package paint

import (
	"bytes"
	"os"
	"testing"
)

func TestWhatIsNoTerminalGetsNoColour(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	var b bytes.Buffer
	if To(w) || To(&b) || To(nil) {
		t.Error("a pipe or a buffer is painted")
	}
	if !To(With(&b, true)) || To(With(&b, false)) {
		t.Error("a buffer is not painted as what it is for")
	}
}

func TestInkPaintsOrDoesNot(t *testing.T) {
	if got := Ink(false).Red("down"); got != "down" {
		t.Errorf("without ink: %q", got)
	}
	if got := Ink(true).Red("down"); got != "\x1b[31mdown\x1b[0m" {
		t.Errorf("with ink: %q", got)
	}
	if got := Ink(true).Bold(""); got != "" {
		t.Errorf("nothing is painted: %q", got)
	}
}

func TestColoursHaveNoWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "ümlaut": 6, "\x1b[31mdown\x1b[0m": 4, "a \x1b[1;32mb\x1b[0m c": 5} {
		if got := Width(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

func TestCutCountsWhatIsSeenAndEndsTheColour(t *testing.T) {
	for _, tc := range []struct {
		s     string
		width int
		want  string
	}{
		{"backup", 6, "backup"},
		{"backup", 4, "bac…"},
		{"backup", 1, "…"},
		{"backup", 0, ""},
		{"\x1b[31mdown\x1b[0m", 4, "\x1b[31mdown\x1b[0m"},
		{"\x1b[31mdown\x1b[0m", 3, "\x1b[31mdo…\x1b[0m"},
		{"\x1b[31mdown\x1b[0m for ever", 8, "\x1b[31mdown\x1b[0m fo…"},
		{"for ever \x1b[31mdown\x1b[0m", 5, "for …"},
	} {
		if got := Cut(tc.s, tc.width); got != tc.want {
			t.Errorf("%q to %d: %q, want %q", tc.s, tc.width, got, tc.want)
		}
	}
}
