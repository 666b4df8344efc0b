package doctor

import (
	"cmp"
	"slices"
)

// How bad a finding is.
const (
	Good    = "good"    // looked at, and well
	Note    = "note"    // to know
	Warning = "warning" // works, with something less than promised
	Error   = "error"   // will not work, or not safely
)

// Finding is one thing that was found.
type Finding struct {
	ID    string `json:"id"` // a stable word: "port-taken"
	Level string `json:"level"`
	What  string `json:"what"`
	Why   string `json:"why,omitempty"` // it matters
	Fix   string `json:"fix,omitempty"`
}

// levels from the worst on.
var levels = []string{Error, Warning, Note, Good}

// Check judges all facts. The worst findings come first, in an order that does not change.
func Check(f Facts) []Finding {
	var all []Finding
	for _, check := range checks {
		all = append(all, check(f)...)
	}
	for _, u := range f.Unknown {
		all = append(all, Finding{ID: "not-looked-at", Level: Note, What: u, Fix: "run doctor as root"})
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Compare(slices.Index(levels, a.Level), slices.Index(levels, b.Level))
	})
	return all
}

// Worst returns the level of the worst finding.
func Worst(all []Finding) string {
	worst := Good
	for _, f := range all {
		if slices.Index(levels, f.Level) < slices.Index(levels, worst) {
			worst = f.Level
		}
	}
	return worst
}
