package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const appsUsage = `usage:
  go run ./internal/bench apps [--json|--table] [-n N] [--peer serf] [--peer haproxy] [--within 1h] [--logs DIR] [--tandem BINARY]
`

// appsOptions are what the command line of apps asks for.
type appsOptions struct {
	json, table bool
	n           int
	peers       []string // stacks beside Tandem
	within      time.Duration
	logs        string
	tandem      string
}

// appsPeers are the stacks that Tandem can be compared with; see apps_stack_linux.go.
var appsPeers = []string{"serf", "haproxy"}

// parseAppsOptions reads the command line. What is wrong has been said to w.
func parseAppsOptions(args []string, w io.Writer) (appsOptions, error) {
	var o appsOptions
	var peers repeated
	f := flag.NewFlagSet("apps", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() { fmt.Fprint(w, appsUsage); f.PrintDefaults() }
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.BoolVar(&o.table, "table", false, "print the table of deploy/docs/measured.md")
	f.IntVar(&o.n, "n", 5, "repetitions: lives of an app, of each stack")
	f.Var(&peers, "peer", "whom to run beside Tandem: "+strings.Join(appsPeers, ", ")+"; serf brings haproxy with it")
	f.DurationVar(&o.within, "within", 0, "begin no more repetition after this time")
	f.StringVar(&o.logs, "logs", "", "`folder` for the daemons' logs of every repetition")
	f.StringVar(&o.tandem, "tandem", "", "`binary` to measure (default: built from this source tree)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := o.fill(f.Args(), peers)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	return o, err
}

func (o *appsOptions) fill(rest, peers []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is too much", rest)
	}
	if o.n < 1 {
		return errors.New("nothing to do: -n begins at 1")
	}
	for _, p := range peers {
		if !slices.Contains(appsPeers, p) {
			return fmt.Errorf("no peer is called %q; there are %s", p, strings.Join(appsPeers, " and "))
		}
	}
	o.peers = peers
	if slices.Contains(peers, "serf") && !slices.Contains(peers, "haproxy") {
		o.peers = append(o.peers, "haproxy")
	}
	return nil
}

// An appEvent is what happens to an app while clients ask.
type appEvent struct {
	name  string
	does  string
	watch time.Duration // how long its consequences are counted: as long as the slowest stack needs
}

// appEvents are an app's life, in order. Each is counted from its own beginning.
var appEvents = []appEvent{
	{"leave", "the app is stopped in order", 4 * time.Second},
	{"join", "it is started", 4 * time.Second},
	{"kill", "SIGKILL to all processes of its host", 10 * time.Second},
	{"power", "it is back, and its host loses power", 12 * time.Second},
}

// An AppReport is the result of a run of apps, and the form of its --json.
type AppReport struct {
	Report
	Apps []AppResult `json:"apps"`
}

// An AppResult is what one event did to one stack's clients.
type AppResult struct {
	Event    string     `json:"event"`
	Stack    string     `json:"stack"`
	N        int        `json:"n"`
	Broken   int        `json:"broken"`   // repetitions that could not be carried out
	FirstMS  Spread     `json:"first_ms"` // of join: from the start of the app's processes to the first answer of it that a client has
	SlowMS   Spread     `json:"slowest_ms"`
	LastMS   Spread     `json:"last_failure_ms"` // after the event
	Failed   int        `json:"failed"`
	Requests int        `json:"requests"`
	Trials   []AppTrial `json:"trials"`
}

// An AppTrial is one repetition of an event.
type AppTrial struct {
	FirstMS  float64        `json:"first_ms,omitempty"`
	SlowMS   float64        `json:"slowest_ms"` // the slowest request that got a good answer, from when it was due
	LastMS   float64        `json:"last_failure_ms"`
	Failed   int            `json:"failed"`
	Requests int            `json:"requests"`
	Late     int            `json:"late"`
	Skipped  int            `json:"skipped"`
	Kinds    map[string]int `json:"kinds,omitempty"`
	Error    string         `json:"error,omitempty"`
}

// find returns the row of an event and a stack, made if need be.
func (r *AppReport) find(event, stack string) *AppResult {
	i := slices.IndexFunc(r.Apps, func(x AppResult) bool { return x.Event == event && x.Stack == stack })
	if i < 0 {
		i = len(r.Apps)
		r.Apps = append(r.Apps, AppResult{Event: event, Stack: stack})
	}
	return &r.Apps[i]
}

// sum fills in what the repetitions come to, and sorts the rows by event.
func (r *AppReport) sum() {
	order := func(event string) int {
		return slices.IndexFunc(appEvents, func(e appEvent) bool { return e.name == event })
	}
	slices.SortStableFunc(r.Apps, func(a, b AppResult) int { return cmp.Compare(order(a.Event), order(b.Event)) })
	for i := range r.Apps {
		x := &r.Apps[i]
		var first, slow, last []float64
		x.N, x.Broken, x.Failed, x.Requests = 0, 0, 0, 0
		for _, t := range x.Trials {
			if t.Error != "" {
				x.Broken++
				continue
			}
			x.N++
			x.Failed += t.Failed
			x.Requests += t.Requests
			first, slow, last = append(first, t.FirstMS), append(slow, t.SlowMS), append(last, t.LastMS)
		}
		x.FirstMS, x.SlowMS, x.LastMS = spreadOf(first), spreadOf(slow), spreadOf(last)
	}
}

// line is what a person reads of a repetition while it goes on.
func (t AppTrial) line() string {
	if t.Error != "" {
		return "could not be carried out: " + t.Error
	}
	line := fmt.Sprintf("failed %d of %d %v, slowest %.0f ms, last failure after %.0f ms", t.Failed, t.Requests, t.Kinds, t.SlowMS, t.LastMS)
	if t.FirstMS > 0 {
		line += fmt.Sprintf(", first request served after %.0f ms", t.FirstMS)
	}
	if t.Late+t.Skipped > 0 {
		line += fmt.Sprintf("; a busy machine: %d late, %d skipped", t.Late, t.Skipped)
	}
	return line
}

// writeMarkdown prints the table as it stands in deploy/docs/measured.md.
func (r AppReport) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.heading())
	b.WriteString("| event | stack | n | first request served ms: min / median / max | failed of requests | last failure after ms: median / max | slowest good GET ms: median / max |\n|---|---|---|---|---|---|---|\n")
	last := ""
	for _, x := range r.Apps {
		event := ""
		if x.Event != last {
			i := slices.IndexFunc(appEvents, func(e appEvent) bool { return e.name == x.Event })
			event = "**" + x.Event + "**: " + appEvents[i].does
		}
		last = x.Event
		first := "–"
		if x.Event == "join" && x.N > 0 {
			first = fmt.Sprintf("%.0f / %.0f / %.0f", x.FirstMS.Min, x.FirstMS.Median, x.FirstMS.Max)
		}
		broken := ""
		if x.Broken > 0 {
			broken = fmt.Sprintf(" (%d not carried out)", x.Broken)
		}
		fmt.Fprintf(&b, "| %s | %s | %d%s | %s | %d of %d | %.0f / %.0f | %.0f / %.0f |\n", event, x.Stack, x.N, broken, first,
			x.Failed, x.Requests, x.LastMS.Median, x.LastMS.Max, x.SlowMS.Median, x.SlowMS.Max)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
