package guide

import (
	"slices"
	"testing"
)

func TestStepsAreTypedOnTheirHostsAndThoseThatAreLeftAreKnown(t *testing.T) {
	s := Parse("x.md", `# First

On lb1:

    one

Said of nobody:

    never

On either:

    two

# Second

On lb2:

    three
`).Steps()
	var typed []string
	note := func(host string, b Block) { typed = append(typed, host+" "+b.Text()) }
	if err := s.Follow("First", 1, 2, note); err != nil {
		t.Fatal(err)
	}
	if err := s.Follow("Second", 0, 1, note); err != nil {
		t.Fatal(err)
	}
	if want := []string{"lb1 two\n", "lb2 three\n"}; !slices.Equal(typed, want) {
		t.Errorf("typed %q, want %q", typed, want)
	}
	if left := s.Left(); len(left) != 1 || left[0].Text() != "one\n" {
		t.Errorf("left are %v", left)
	}
	if err := s.Follow("Second", 0, 2, note); err == nil {
		t.Error("a step that is not there was typed")
	}
}
