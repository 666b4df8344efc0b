package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

const proxyUsage = `usage:
  go run ./internal/bench proxy [--json] [--peer haproxy] [--peer nginx] [-n N] [--for 2s] [--scenario S,…] [--tandem BINARY]
`

// ourProxy is what we are called among the proxies.
const ourProxy = "tandem"

// proxyRemedy names the Debian packages of the peers.
const proxyRemedy = "apt-get install haproxy nginx-light nghttp2-client"

// proxyOptions are what the command line of proxy asks for.
type proxyOptions struct {
	json      bool
	n         int
	time      time.Duration // of one measurement
	peers     []string
	scenarios []scenario
	tandem    string
}

// A scenario is one kind of work for a proxy.
type scenario struct {
	name  string
	unit  string // of its figure, of which less is better
	mode  loadMode
	conns int
	rate  int  // requests/s, of the fixed rate only
	tls   bool // clients speak TLS 1.3, with AES-128-GCM
	h2    int  // requests under way on each connection, by HTTP/2 over TLS; 0: HTTP/1.1
	again bool // with loadClose and tls: each connection resumes the session of another
}

// loadMode is what the generator does.
type loadMode string

const (
	loadKeep  loadMode = "keep"  // small requests on kept connections
	loadClose loadMode = "close" // a connection for each small request
	loadBig   loadMode = "big"   // bodies of 1 MiB on kept connections
	loadIdle  loadMode = "idle"  // connections that have asked once and are silent
	loadRate  loadMode = "rate"  // small requests on kept connections at a fixed rate
)

var scenarios = []scenario{
	{name: "keepalive-64", unit: "µs/request", mode: loadKeep, conns: 64},
	{name: "keepalive-512", unit: "µs/request", mode: loadKeep, conns: 512},
	{name: "close", unit: "µs/request", mode: loadClose, conns: 64},
	{name: "1MiB", unit: "s/GB", mode: loadBig, conns: 16},
	{name: "idle-10000", unit: "MB", mode: loadIdle, conns: 10_000},
	{name: "tls-keepalive-64", unit: "µs/request", mode: loadKeep, conns: 64, tls: true},
	{name: "tls-1MiB", unit: "s/GB", mode: loadBig, conns: 16, tls: true},
	{name: "tls-idle-2000", unit: "MB", mode: loadIdle, conns: 2000, tls: true},
	{name: "tls-new", unit: "µs/request", mode: loadClose, conns: 64, tls: true},
	{name: "tls-resumed", unit: "µs/request", mode: loadClose, conns: 64, tls: true, again: true},
	{name: "h2-keepalive", unit: "µs/request", mode: loadKeep, conns: 8, tls: true, h2: 10},
	{name: "h2-1MiB", unit: "s/GB", mode: loadBig, conns: 4, tls: true, h2: 4},
	{name: "latency", unit: "µs p99", mode: loadRate, conns: 64, rate: 5000},
}

// A repeated is a flag that may be given several times, or with commas.
type repeated []string

func (r *repeated) String() string { return strings.Join(*r, ",") }

func (r *repeated) Set(s string) error {
	*r = append(*r, strings.Split(s, ",")...)
	return nil
}

// parseProxyOptions reads the command line. What is wrong has been said to w.
func parseProxyOptions(args []string, w io.Writer) (proxyOptions, error) {
	var o proxyOptions
	var peers, names repeated
	f := flag.NewFlagSet("proxy", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() { fmt.Fprint(w, proxyUsage); f.PrintDefaults() }
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.IntVar(&o.n, "n", 5, "repetitions of every scenario")
	f.DurationVar(&o.time, "for", 2*time.Second, "how long one measurement takes")
	f.Var(&peers, "peer", "whom to run beside Tandem: haproxy, nginx")
	f.Var(&names, "scenario", "some of "+strings.Join(scenarioNames(), ",")+" (default all)")
	f.StringVar(&o.tandem, "tandem", "", "`binary` to measure (default: built from this source tree)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := o.fill(f.Args(), peers, names)
	if err != nil {
		fmt.Fprintln(w, err)
	}
	return o, err
}

func (o *proxyOptions) fill(rest, peers, names []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is too much", rest)
	}
	if o.n < 1 || o.time < 100*time.Millisecond {
		return errors.New("nothing to do: -n begins at 1 and --for at 100ms")
	}
	for _, p := range peers {
		if p != "haproxy" && p != "nginx" {
			return fmt.Errorf("no peer is called %q; there are haproxy and nginx", p)
		}
	}
	o.peers = peers
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("no scenario is called %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		o.scenarios = append(o.scenarios, scenarios[i])
	}
	if len(names) == 0 {
		o.scenarios = scenarios
	}
	return nil
}

func scenarioNames() []string {
	var out []string
	for _, s := range scenarios {
		out = append(out, s.name)
	}
	return out
}

// A ProxyReport is the result of a run of proxy, and the form of its --json.
type ProxyReport struct {
	Began    time.Time         `json:"began"`
	Took     float64           `json:"took_s"`
	Command  string            `json:"command"`
	Commit   string            `json:"commit"`
	Versions map[string]string `json:"versions"`
	CPUs     int               `json:"cpus"`
	CPU      string            `json:"cpu"`
	Kernel   string            `json:"kernel"`
	Go       string            `json:"go"`
	Load     string            `json:"load"`
	Results  []ProxyResult     `json:"results"`
}

// A ProxyResult is what a scenario cost one proxy.
type ProxyResult struct {
	Scenario string `json:"scenario"`
	Proxy    string `json:"proxy"`
	Unit     string `json:"unit"`
	N        int    `json:"n"`
	Broken   int    `json:"broken"`
	// Value is the figure of the process that carries the traffic, in Unit.
	Value Range `json:"value"`
	// Whole is the same of all processes of the product together.
	Whole Range `json:"whole"`
	// PerS is how many requests a second were answered: the generator's limit
	// as often as the proxy's.
	PerS Range `json:"per_s"`
	// Ratio is Tandem's Value to this one's, of the same repetition each time.
	Ratio  *Range       `json:"ratio,omitempty"`
	Trials []ProxyTrial `json:"trials"`
}

// A ProxyTrial is one repetition.
type ProxyTrial struct {
	Value    float64 `json:"value"`
	Whole    float64 `json:"whole"`
	PerS     float64 `json:"per_s"`
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`
	Error    string  `json:"error,omitempty"`
}

// A Range describes a set of figures.
type Range struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"` // the mean of the middle two of an even number
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// rangeOf returns the range of a set, all zero of an empty one.
func rangeOf(set []float64) Range {
	n := len(set)
	if n == 0 {
		return Range{}
	}
	s := slices.Sorted(slices.Values(set))
	return Range{s[0], (s[(n-1)/2] + s[n/2]) / 2, s[n-1], n}
}

// sum fills in the ranges of all results, Tandem's ratios to them included.
func (r *ProxyReport) sum() {
	for i := range r.Results {
		x := &r.Results[i]
		of := func(measure func(ProxyTrial) float64) Range {
			var set []float64
			for _, t := range x.Trials {
				if t.Error == "" {
					set = append(set, measure(t))
				}
			}
			return rangeOf(set)
		}
		x.Value = of(func(t ProxyTrial) float64 { return t.Value })
		x.Whole = of(func(t ProxyTrial) float64 { return t.Whole })
		x.PerS = of(func(t ProxyTrial) float64 { return t.PerS })
		x.N, x.Broken = x.Value.N, len(x.Trials)-x.Value.N
		if ours := r.find(x.Scenario, ourProxy); ours != nil && ours != x {
			ratio := ratioOf(ours.Trials, x.Trials)
			x.Ratio = &ratio
		}
	}
}

func (r *ProxyReport) find(scenario, proxy string) *ProxyResult {
	for i := range r.Results {
		if x := &r.Results[i]; x.Scenario == scenario && x.Proxy == proxy {
			return x
		}
	}
	return nil
}

// ratioOf compares repetition with repetition: what else the machine did then
// hit both.
func ratioOf(ours, theirs []ProxyTrial) Range {
	var set []float64
	for i := range min(len(ours), len(theirs)) {
		if a, b := ours[i], theirs[i]; a.Error == "" && b.Error == "" && b.Value > 0 {
			set = append(set, a.Value/b.Value)
		}
	}
	return rangeOf(set)
}

// writeTable prints the report for people.
func (r *ProxyReport) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tproxy\tn\tmedian\t(min..max)\tunit\tall its processes\trequests/s\tTandem to it\t(min..max)\t")
	for i, x := range r.Results {
		name := x.Scenario
		if i > 0 && r.Results[i-1].Scenario == name {
			name = ""
		}
		ratio, bounds := "", ""
		if x.Ratio != nil && x.Ratio.N > 0 {
			ratio, bounds = fmt.Sprintf("%.2f", x.Ratio.Median), fmt.Sprintf("(%.2f..%.2f)", x.Ratio.Min, x.Ratio.Max)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%.3g\t(%.3g..%.3g)\t%s\t%.3g\t%.0f\t%s\t%s\t\n",
			name, x.Proxy, x.N, x.Value.Median, x.Value.Min, x.Value.Max, x.Unit, x.Whole.Median, x.PerS.Median, ratio, bounds)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range r.Results {
		if x.Broken == 0 {
			continue
		}
		i := slices.IndexFunc(x.Trials, func(t ProxyTrial) bool { return t.Error != "" })
		fmt.Fprintf(w, "%s, %s: %d repetitions could not be carried out: %s\n", x.Scenario, x.Proxy, x.Broken, x.Trials[i].Error)
	}
	_, err := fmt.Fprintf(w, "%d CPUs (%s), Linux %s, load %s, %.0f s\n", r.CPUs, cmp.Or(r.CPU, "?"), r.Kernel, r.Load, r.Took)
	return err
}
