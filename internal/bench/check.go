package main

import "fmt"

// broken names what Tandem promises at any speed and did not keep in these repetitions.
// Milliseconds are no part of it: a busy machine makes them.
func (r Result) broken() (out []string) {
	h, _ := harmOf(r.Fault)
	for i, t := range r.Trials {
		say := func(format string, args ...any) {
			out = append(out, fmt.Sprintf("%s %d of %s: ", r.Fault, i+1, r.Stack)+fmt.Sprintf(format, args...))
		}
		switch {
		case t.Error != "":
			say("%s", t.Error)
			continue
		case !t.Calm:
			say("service did not come back within %v", settleMax)
		case t.After == "":
			say("there is not exactly one owner at the end")
		}
		if t.MaxOwners > 1 && !h.two {
			say("%d owners at once, for %.0f ms", t.MaxOwners, t.TwoMS)
		}
		for _, what := range t.Unexplained {
			say("%s", what)
		}
		if h.stays && t.After != "" && t.After != t.Before {
			say("the VIP moved from %s to %s for no reason", t.Before, t.After)
		}
	}
	return out
}
