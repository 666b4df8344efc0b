package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is the result of a run of failover, and the form of its --json.
type Report struct {
	Began   time.Time `json:"began"`
	Took    float64   `json:"took_s"`
	Command string    `json:"command"`
	Seed    uint64    `json:"seed"`   // of the times at which faults struck
	Commit  string    `json:"commit"` // of the source tree; with a "+" if that had changes of its own
	// Versions of the peers that took part, by name.
	Versions map[string]string `json:"versions"`
	CPUs     int               `json:"cpus"`
	CPU      string            `json:"cpu"`
	Kernel   string            `json:"kernel"`
	Go       string            `json:"go"`
	Root     bool              `json:"root"` // false: an ordinary user's lab, where nothing has real-time priority
	Load     string            `json:"load"` // the machine's load averages when it was over
	Results  []Result          `json:"results"`
}

// A Result is what a fault did to a stack.
type Result struct {
	Fault  string `json:"fault"`
	Stack  string `json:"stack"`
	N      int    `json:"n"`      // repetitions that could be carried out
	Broken int    `json:"broken"` // those that could not: the site did not come up, say

	OutageMS  Spread  `json:"outage_ms"`
	ReturnMS  Spread  `json:"return_ms"`
	Requests  int     `json:"requests"`
	Failed    int     `json:"failed"`
	TwoMS     Spread  `json:"two_owners_ms"`
	NoneMS    Spread  `json:"none_ms"`
	WrongMS   Spread  `json:"wrong_cache_ms"`
	MaxOwners int     `json:"max_owners"` // at once
	Uncalm    int     `json:"uncalm"`     // repetitions after which the site did not serve calmly within a minute
	Trials    []Trial `json:"trials"`
}

// A Trial is one repetition.
type Trial struct {
	At        float64        `json:"at_s"`   // when it began, since the run did: the order of all
	TookS     float64        `json:"took_s"` // with the site's making and removal
	OutageMS  float64        `json:"outage_ms"`
	ReturnMS  float64        `json:"return_ms"`
	Requests  int            `json:"requests"`
	Failed    int            `json:"failed"`
	Kinds     map[string]int `json:"kinds"`   // Failed, by reason
	Late      int            `json:"late"`    // of these, those that the busy machine delayed by over 20 ms
	Skipped   int            `json:"skipped"` // not among these: the busy machine did not let the client send them
	TwoMS     float64        `json:"two_owners_ms"`
	NoneMS    float64        `json:"none_ms"`
	WrongMS   float64        `json:"wrong_cache_ms"` // how long the client's ARP cache pointed at a host that did not own the VIP
	MaxOwners int            `json:"max_owners"`
	Before    string         `json:"active_before"`
	Held      string         `json:"active_held"`  // when the fault was undone; empty: not exactly one
	After     string         `json:"active_after"` // at the end; empty likewise
	HeldMS    float64        `json:"held_ms"`      // from the fault to its undoing
	Calm      bool           `json:"calm"`         // at the end
	Error     string         `json:"error,omitempty"`

	// With --check, what Tandem tells of it.
	Changes     []string `json:"changes,omitempty"` // of state, since the fault
	Story       string   `json:"story,omitempty"`
	Unexplained []string `json:"unexplained,omitempty"` // what the timelines do not tell, or tell twice
}

// An Overload is what a busy machine did to a stack, and the form of overload's --json.
type Overload struct {
	Began     time.Time `json:"began"`
	Command   string    `json:"command"`
	Commit    string    `json:"commit"`
	Kernel    string    `json:"kernel"`
	Stack     string    `json:"stack"`
	Loops     int       `json:"busy_loops"`
	Quota     float64   `json:"quota"` // processors that each balancer may use, with one more busy loop in it; 0: no limit
	CPUs      int       `json:"cpus"`
	Minutes   float64   `json:"minutes"`
	Takeovers int       `json:"takeovers"` // times that a balancer got the VIP, by the kernels' news
	PerMinute float64   `json:"per_minute"`
	Claims    int       `json:"claims"`        // the same by Tandem's epoch: claims too short to be seen, too; -1: not told
	WorstMS   float64   `json:"worst_late_ms"` // of an advert, as Tandem says; -1: not told
	NoneMS    float64   `json:"none_ms"`       // the longest time in which nobody owned the VIP
	Requests  int       `json:"requests"`
	Failed    int       `json:"failed"`
	Skipped   int       `json:"skipped"` // not among the requests: the busy machine did not let the client send them
}

// add takes in one repetition.
func (r *Result) add(t Trial) {
	r.Trials = append(r.Trials, t)
	if t.Error != "" {
		r.Broken++
		return
	}
	r.N++
	r.Requests += t.Requests
	r.Failed += t.Failed
	r.MaxOwners = max(r.MaxOwners, t.MaxOwners)
	if !t.Calm {
		r.Uncalm++
	}
}

// line is what a person reads of a repetition while it goes on.
func (t Trial) line() string {
	if t.Error != "" {
		return "could not be carried out: " + t.Error
	}
	shown := func(name string) string {
		if name == "" {
			return "?"
		}
		return name
	}
	var kinds []string
	for kind, n := range t.Kinds {
		kinds = append(kinds, fmt.Sprint(n, " ", kind))
	}
	slices.Sort(kinds)
	line := fmt.Sprintf("outage %.0f ms, on return %.0f ms, failed %d of %d (%s), two owners %.0f ms, none %.0f ms, wrong cache %.0f ms, active %s, %s, %s",
		t.OutageMS, t.ReturnMS, t.Failed, t.Requests, strings.Join(kinds, ", "), t.TwoMS, t.NoneMS, t.WrongMS,
		shown(t.Before), shown(t.Held), shown(t.After))
	if t.Late+t.Skipped > 0 {
		line += fmt.Sprintf("; a busy machine: %d late, %d skipped", t.Late, t.Skipped)
	}
	if !t.Calm {
		line += "; NOT CALM at the end"
	}
	return line
}

// sum fills in the spreads.
func (r *Result) sum() {
	of := func(measure func(Trial) float64) Spread {
		var set []float64
		for _, t := range r.Trials {
			if t.Error == "" {
				set = append(set, measure(t))
			}
		}
		return spreadOf(set)
	}
	r.OutageMS = of(func(t Trial) float64 { return t.OutageMS })
	r.ReturnMS = of(func(t Trial) float64 { return t.ReturnMS })
	r.TwoMS = of(func(t Trial) float64 { return t.TwoMS })
	r.NoneMS = of(func(t Trial) float64 { return t.NoneMS })
	r.WrongMS = of(func(t Trial) float64 { return t.WrongMS })
}

// writeJSON prints anything as one object.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// cells are the numbers of a row; dashes where nothing could be measured.
func (r Result) cells() string {
	if r.N == 0 {
		return strings.Repeat("-\t", 14)
	}
	return fmt.Sprintf("%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t",
		r.OutageMS.Min, r.OutageMS.Median, r.OutageMS.P95, r.OutageMS.Max, r.ReturnMS.Median, r.ReturnMS.Max,
		r.Failed, r.Requests, r.TwoMS.Median, r.TwoMS.Max, r.NoneMS.Median, r.NoneMS.Max,
		r.WrongMS.Median, r.WrongMS.Max)
}

// writeTable prints the report for people.
func (r Report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fault\tstack\tn\toutage ms: min\tmedian\tp95\tmax\ton return: median\tmax\tfailed\tof\ttwo owners: median\tmax\tnone: median\tmax\twrong cache: median\tmax\t")
	last := ""
	for _, x := range r.Results {
		name := x.Fault
		if name == last {
			name = ""
		}
		last = x.Fault
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", name, x.Stack, x.N, x.cells())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range r.Results {
		if x.Broken > 0 {
			fmt.Fprintf(w, "%s, %s: %d repetitions could not be carried out\n", x.Fault, x.Stack, x.Broken)
		}
		if x.Uncalm > 0 {
			fmt.Fprintf(w, "%s, %s: in %d of %d repetitions the site did not serve calmly again within %v\n", x.Fault, x.Stack, x.Uncalm, x.N, settleMax)
		}
	}
	_, err := fmt.Fprintf(w, "%d CPUs, Linux %s, load %s, %.0f s\n", r.CPUs, r.Kernel, r.Load, r.Took)
	return err
}
