package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// The planned switches that are measured.
var switches = []struct{ name, does string }{
	{"handovers", "the VIP is moved there and back again; streams and upload last from beginning to end"},
	{"upgrade", "one node after the other ends in order and starts with another binary; streams and upload last 5 s each"},
	{"preempt", "the preferred node comes back and gets the VIP"},
	{"reload-proxy", "the proxy of the active is replaced in place"},
	{crashName, "the active loses its power while 20 clients wait for an answer"},
}

// crashName is the switch that nobody has planned: its table is another.
const crashName = "crash"

func switchNames() (names []string) {
	for _, s := range switches {
		names = append(names, s.name)
	}
	return names
}

// handoverOptions are what the command line of handover asks for.
type handoverOptions struct {
	json      bool
	n         int // repetitions of each scenario
	moves     int // handovers in one repetition
	scenarios []string
	peer      bool // keepalived and HAProxy, too
	tandem    string
}

func parseHandoverOptions(args []string, w io.Writer) (o handoverOptions, err error) {
	f := flag.NewFlagSet("handover", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() { fmt.Fprint(w, usage); f.PrintDefaults() }
	var list, peer string
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.IntVar(&o.n, "n", 1, "repetitions")
	f.IntVar(&o.moves, "moves", 20, "handovers in a repetition")
	f.StringVar(&list, "scenario", strings.Join(switchNames(), ","), "which planned switches")
	f.StringVar(&peer, "peer", "", "keepalived: run it with HAProxy beside Tandem, where it has such a switch")
	f.StringVar(&o.tandem, "tandem", "", "`binary` to measure (default: built from this source tree)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.scenarios, o.peer = strings.Split(list, ","), peer != ""
	switch {
	case f.NArg() > 0:
		err = fmt.Errorf("%q is too much", f.Args())
	case o.n < 1 || o.moves < 1:
		err = errors.New("nothing to do: -n and --moves begin at 1")
	case peer != "" && peer != "keepalived":
		err = fmt.Errorf("no peer is called %q; there is keepalived", peer)
	}
	for _, s := range o.scenarios {
		if err == nil && !slices.Contains(switchNames(), s) {
			err = fmt.Errorf("no scenario is called %q; there are %s", s, strings.Join(switchNames(), ", "))
		}
	}
	if err != nil {
		fmt.Fprintln(w, err)
	}
	return o, err
}

// A HandoverReport is the result of a run of handover, and the form of its --json. Of Report
// it has what a figure is worth nothing without.
type HandoverReport struct {
	Report
	Handovers []HandoverResult `json:"handovers"`
}

// A HandoverResult is what one repetition of a planned switch did to a stack's clients.
type HandoverResult struct {
	Scenario string             `json:"scenario"`
	Stack    string             `json:"stack"`
	Moves    int                `json:"moves"`   // that the VIP made
	MovesMS  []float64          `json:"move_ms"` // each from the order until the new owner answered on the wire
	TookS    float64            `json:"took_s"`
	Requests int                `json:"requests"` // on new connections
	Failed   int                `json:"failed"`   // of these
	Kinds    map[string]int     `json:"kinds"`
	OutageMS float64            `json:"outage_ms"` // longest gap between two good answers
	Two      float64            `json:"two_owners_ms"`
	Crowd    client.CrowdReport `json:"crowd"`
	BackMS   []float64          `json:"back_ms,omitempty"` // crash: from the takeover until each client that waited had an answer on a new connection
	Hung     int                `json:"hung,omitempty"`    // crash: clients that learnt nothing within 15 s
	Error    string             `json:"error,omitempty"`   // why it could not be carried out
}

// lost is how many clients did not get what they were due.
func (r HandoverResult) lost() int { return r.Failed + r.Crowd.Lost() }

// hash says how the uploads ended.
func (r HandoverResult) hash() string {
	switch {
	case r.Crowd.UploadsBad > 0:
		return fmt.Sprintf("%d of %d broken off", r.Crowd.UploadsBad, r.Crowd.Uploads)
	case r.Crowd.Wrong > 0:
		return "WRONG"
	}
	return fmt.Sprintf("ok, %d", r.Crowd.Uploads)
}

// cells are a result's figures.
func (r HandoverResult) cells() []string {
	if r.Error != "" {
		return []string{r.Error, "–", "–", "–", "–", "–", "–"}
	}
	s, c := spreadOf(r.MovesMS), r.Crowd
	return []string{
		fmt.Sprintf("%d: %.0f / %.0f / %.0f", r.Moves, s.Min, s.Median, s.Max),
		fmt.Sprintf("%d of %d", r.Failed, r.Requests),
		fmt.Sprintf("%d of %d", c.Failed, c.Requests),
		fmt.Sprintf("%d of %d", c.Broken, c.Streams),
		r.hash(),
		fmt.Sprintf("%.0f", r.OutageMS),
		fmt.Sprintf("%.0f", millis(c.Stall)),
	}
}

// writeMarkdown prints the report as it stands in deploy/docs/measured.md.
func (r HandoverReport) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Commit %s, %s, %s, Linux %s, %d × %s", r.Commit, r.Began.Format(time.DateOnly), r.Go, r.Kernel, r.CPUs, r.CPU)
	for _, name := range []string{"keepalived", "HAProxy"} {
		if v := r.Versions[name]; v != "" {
			fmt.Fprintf(&b, ", %s %s", name, v)
		}
	}
	fmt.Fprintf(&b, "; %.0f min.\n\n    %s\n\n", r.Took/60, r.Command)
	b.WriteString("| switch | stack | moves, ms: min / median / max | failed on new connections | failed on kept connections " +
		"| streams broken | uploads, hash | outage ms | longest wait of a stream ms |\n|---|---|---|---|---|---|---|---|---|\n")
	last := ""
	for _, x := range r.Handovers {
		if x.Scenario == crashName {
			continue
		}
		name := ""
		for _, s := range switches {
			if s.name == x.Scenario && last != x.Scenario {
				name = fmt.Sprintf("**%s**: %s", s.name, s.does)
			}
		}
		last = x.Scenario
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, x.Stack, strings.Join(x.cells(), " | "))
	}
	r.writeCrashes(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCrashes prints what became of those who waited for an answer.
func (r HandoverReport) writeCrashes(b *strings.Builder) {
	head := "\n| crash under 20 clients that wait | takeover ms | back with an answer, ms after it: min / median / max | learnt nothing within 15 s |\n|---|---|---|---|\n"
	for _, x := range r.Handovers {
		switch s := spreadOf(x.BackMS); {
		case x.Scenario != crashName:
			continue
		case x.Error != "":
			fmt.Fprintf(b, "%s| %s | %s | – | – |\n", head, x.Stack, x.Error)
		case len(x.BackMS) == 0:
			fmt.Fprintf(b, "%s| %s | %.0f | – | %d |\n", head, x.Stack, x.MovesMS[0], x.Hung)
		default:
			fmt.Fprintf(b, "%s| %s | %.0f | %.0f / %.0f / %.0f | %d |\n", head, x.Stack, x.MovesMS[0], s.Min, s.Median, s.Max, x.Hung)
		}
		head = ""
	}
}
