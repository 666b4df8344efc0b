package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const membershipUsage = `usage:
  go run ./internal/bench membership [--json|--table] [-n N] [--agents 300] [--equal] [--part P,…] [--logs DIR] [--tandem BINARY]
`

// The parts of membership.
var crowdParts = []string{"agents", "fake", "pool"}

// membershipOptions are what the command line of membership asks for.
type membershipOptions struct {
	json, table bool
	n           int
	agents      int
	parts       []string
	equal       bool // agents have the balancers' priority
	logs        string
	tandem      string
}

func (o membershipOptions) has(part string) bool { return slices.Contains(o.parts, part) }

// parseMembershipOptions reads the command line. What is wrong has been said to w.
func parseMembershipOptions(args []string, w io.Writer) (membershipOptions, error) {
	var o membershipOptions
	var parts repeated
	f := flag.NewFlagSet("membership", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() { fmt.Fprint(w, membershipUsage); f.PrintDefaults() }
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.BoolVar(&o.table, "table", false, "print the tables of deploy/docs/measured.md")
	f.IntVar(&o.n, "n", 1, "repetitions of agents and pool")
	f.IntVar(&o.agents, "agents", 300, "how many join at once, as processes")
	f.BoolVar(&o.equal, "equal", false, "agents at the balancers' own priority (default: nice 19, for they would have processors of their own)")
	f.Var(&parts, "part", "some of "+strings.Join(crowdParts, ",")+" (default all)")
	f.StringVar(&o.logs, "logs", "", "`folder` for what the balancers and some agents said")
	f.StringVar(&o.tandem, "tandem", "", "`binary` to measure (default: built from this source tree)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := o.fill(f.Args(), parts)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	return o, err
}

func (o *membershipOptions) fill(rest, parts []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is too much", rest)
	}
	if o.n < 1 || o.agents < crowdHosts || o.agents > maxAgents {
		return fmt.Errorf("-n begins at 1, and --agents is %d to %d", crowdHosts, maxAgents)
	}
	for _, p := range parts {
		if !slices.Contains(crowdParts, p) {
			return fmt.Errorf("no part is called %q; there are %s", p, strings.Join(crowdParts, ", "))
		}
	}
	if o.parts = parts; len(parts) == 0 {
		o.parts = crowdParts
	}
	return nil
}

// Agents live on crowdHosts hosts.
const (
	crowdHosts = 10
	maxAgents  = 10 * 200
)

// A CrowdReport is the result of a run of membership, and the form of its --json.
type CrowdReport struct {
	Report
	Crowds []Crowd    `json:"crowds"`         // one per repetition
	Fake   *FakeCrowd `json:"fake,omitempty"` // in fake time
	Pools  []PoolCost `json:"pools,omitempty"`
	Costs  []Cost     `json:"costs,omitempty"` // of single operations
}

// A Crowd is what many agents that are processes did to a pair of balancers.
type Crowd struct {
	Agents int     `json:"agents"`
	Phases []Phase `json:"phases"`
	Error  string  `json:"error,omitempty"`
}

// A Phase is a change of many members at once.
type Phase struct {
	Name     string           `json:"name"` // start, join, leave, lost
	Members  int              `json:"members"`
	TookS    float64          `json:"took_s"`        // until both balancers know all; of start: until all processes run
	ServedS  float64          `json:"served_s"`      // until both proxies have all of them, and no others, up in the pool
	LateMS   float64          `json:"worst_late_ms"` // of an advert of either balancer, beyond its interval
	Claims   int              `json:"claims"`        // by which the VIP's epoch grew
	Requests int              `json:"requests"`
	Failed   int              `json:"failed"`
	SlowMS   float64          `json:"slowest_ms"`
	Usage    map[string]Usage `json:"usage"` // of each balancer's processes, the greater of the two
	AgentCPU float64          `json:"agents_cpu_s"`

	Suspected int `json:"suspected"` // times that an agent has suspected another one,
	Refuted   int `json:"refuted"`   // that one has refuted it,
	Declared  int `json:"declared"`  // and that one was declared failed; all of them agents, as their logs say
}

// Usage is what a process spent in a phase.
type Usage struct {
	CPU float64 `json:"cpu_s"`
	RSS float64 `json:"rss_mb"`
}

// A FakeCrowd is what go test ./membership measures of a thousand members in fake time.
type FakeCrowd struct {
	Members int     `json:"members"`
	JoinedS float64 `json:"joined_s"` // both balancers know all
	LeftS   float64 `json:"left_s"`   // a third has left, and both balancers know it
}

// A PoolCost is the processor time of a request with so many backends in the pool.
type PoolCost struct {
	Backends int     `json:"backends"`
	Every    string  `json:"checked_every"`
	IdleS    float64 `json:"idle_cpu"`       // processors that the proxy uses without any request: checks and reports
	PerUS    float64 `json:"us_per_request"` // above that
	PerS     float64 `json:"per_s"`
	Failed   int     `json:"failed"`
	RSS      float64 `json:"rss_mb"`
	Error    string  `json:"error,omitempty"`
}

// A Cost is the time of one operation, as go test -bench prints it.
type Cost struct {
	Name string  `json:"name"`
	NS   float64 `json:"ns"`
}

// writeMarkdown prints the tables as they stand in deploy/docs/measured.md.
func (r CrowdReport) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.heading())
	if len(r.Crowds) > 0 {
		b.WriteString("| change | members | both balancers know s | served so s | worst advert lateness ms | claims | failed of requests | slowest GET ms | keeper: CPU s, MB | control: CPU s, MB | proxy: CPU s, MB | agents that live: CPU s | agents suspected, refuted, declared failed |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, c := range r.Crowds {
		for _, p := range c.Phases {
			u := func(name string) string { return fmt.Sprintf("%.2f, %.0f", p.Usage[name].CPU, p.Usage[name].RSS) }
			fmt.Fprintf(&b, "| %s | %d | %.1f | %.1f | %.1f | %d | %d of %d | %.0f | %s | %s | %s | %.1f | %d, %d, %d |\n", phaseDoes[p.Name], p.Members, p.TookS, p.ServedS,
				p.LateMS, p.Claims, p.Failed, p.Requests, p.SlowMS, u("keeper"), u("control"), u("proxy"), p.AgentCPU, p.Suspected, p.Refuted, p.Declared)
		}
		if c.Error != "" {
			fmt.Fprintf(&b, "\nIt ended early: %s\n", c.Error)
		}
	}
	if f := r.Fake; f != nil {
		fmt.Fprintf(&b, "\nIn fake time, %d members that join at once: both balancers know all after %.1f s; a third leaves at once, and both balancers know after %.1f s.\n",
			f.Members, f.JoinedS, f.LeftS)
	}
	if len(r.Pools) > 0 {
		b.WriteString("\n| backends in the pool | checked every | CPU per request µs, beyond what idling costs | ratio | requests/s on one core | processors used by checks and reports alone | MB | failed |\n|---|---|---|---|---|---|---|---|\n")
	}
	for _, p := range r.Pools {
		fmt.Fprintf(&b, "| %d | %s | %.1f | %s | %.0f | %.3f | %.0f | %d%s |\n", p.Backends, p.Every, p.PerUS, r.ratio(p), p.PerS, p.IdleS, p.RSS, p.Failed, p.Error)
	}
	if len(r.Costs) > 0 {
		b.WriteString("\n| one operation | µs |\n|---|---|\n")
	}
	for _, c := range r.Costs {
		fmt.Fprintf(&b, "| %s | %.2f |\n", c.Name, c.NS/1000)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var phaseDoes = map[string]string{
	"start": "the processes start, unplugged", "join": "they join at once", "leave": "a third leaves at once", "lost": "a third of the rest loses power",
}

// ratio compares with the first of the same repetition.
func (r CrowdReport) ratio(p PoolCost) string {
	i := slices.Index(r.Pools, p)
	base := r.Pools[i/len(poolCases)*len(poolCases)]
	if base.PerUS == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", p.PerUS/base.PerUS)
}

// poolCases are compared with the first of them. In the last one the checks are too rare to matter: what remains is that
// each backend has a connection of its own, which is colder than one of three.
var poolCases = []PoolCost{{Backends: 3, Every: "1s"}, {Backends: 5000, Every: "1s"}, {Backends: 5000, Every: "60s"}}

var errSilent = errors.New("nothing was measured")

// crowdWait bounds each phase.
const crowdWait = 60 * time.Second

var benchLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// costsIn reads what go test -bench prints.
func costsIn(text string) (out []Cost) {
	for _, m := range benchLine.FindAllStringSubmatch(text, -1) {
		ns, _ := strconv.ParseFloat(m[2], 64)
		out = append(out, Cost{m[1], ns})
	}
	return out
}
