package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const usage = `usage:
  go run ./internal/bench failover [--json|--table] [-n N] [--fault F,…] [--interval 20ms,5ms] [--peer keepalived] [--within 1h] [--logs DIR]
  go run ./internal/bench table FILE…                   (of --json of any but proxy)
  go run ./internal/bench overload [--json|--table] [--minutes M] [--busy 4] [--quota 0.5] [--interval 20ms,5ms] [--peer keepalived] [--logs DIR]
  go run ./internal/bench handover [--json] [-n N] [--moves 20] [--scenario S,…] [--peer keepalived] [--tandem BINARY]
  go run ./internal/bench apps [--json|--table] [-n N] [--peer serf] [--peer haproxy] [--within 1h] [--logs DIR] [--tandem BINARY]
  go run ./internal/bench membership [--json|--table] [-n N] [--agents 300] [--equal] [--part agents,fake,pool] [--logs DIR] [--tandem BINARY]
  go run ./internal/bench proxy [--json] [--peer haproxy] [--peer nginx] [-n N] [--for 2s] [--scenario S,…] [--tandem BINARY]
  go run ./internal/bench docker [--json|--table] [--check] [--logs FILE]
`

// options are what the command line asks for.
type options struct {
	command string // failover or overload
	json    bool
	n       int
	faults  []string // names; all of them by default
	peers   []string // names of keepalived's settings
	minutes float64
	adverts []time.Duration // of Tandem, which is run once with each; 0: its own
	logs    string          // folder for the daemons' logs of every repetition; empty: none
	warm    time.Duration   // how long a site serves calmly before the fault
	watch   time.Duration   // how long it serves calmly, at least, after the fault is undone
	seed    uint64          // of the times at which faults strike
	within  time.Duration   // after which no more repetition is begun; 0: never
	table   bool            // print measured.md's table
	named   bool            // faults were named
	check   bool            // fail when Tandem breaks a promise
	busy    int             // overload's busy loops per processor
	quota   float64         // of processor time for each balancer; 0: none
	tandem  string          // binary; empty: built from this source tree
}

// parseOptions reads the command line. What is wrong has been said to w.
func parseOptions(args []string, w io.Writer) (options, error) {
	var o options
	if len(args) == 0 || !slices.Contains([]string{"failover", "overload"}, args[0]) {
		fmt.Fprint(w, usage)
		return o, errors.New("no command")
	}
	o.command = args[0]
	f := flag.NewFlagSet(o.command, flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() { fmt.Fprint(w, usage); f.PrintDefaults() }
	var faults, peers, adverts string
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.BoolVar(&o.table, "table", false, "print the table of deploy/docs/measured.md")
	f.StringVar(&peers, "peer", "", "whom to run beside Tandem: keepalived, or some of "+strings.Join(settingNames(), ","))
	f.StringVar(&o.logs, "logs", "", "`folder` for the daemons' logs of every repetition")
	f.DurationVar(&o.warm, "warm", 500*time.Millisecond, "how long a site serves calmly before it is harmed, up to a second more")
	f.StringVar(&o.tandem, "tandem", "", "`binary` to measure (default: built from this source tree)")
	f.StringVar(&adverts, "interval", "", "Tandem's advert interval; of several, each is run (default: its own)")
	if o.command == "failover" {
		f.IntVar(&o.n, "n", 10, "repetitions of every fault")
		f.DurationVar(&o.watch, "watch", 1500*time.Millisecond, "how long it serves calmly, at least, after a fault is undone")
		f.Uint64Var(&o.seed, "seed", uint64(time.Now().Unix()), "of the times at which faults strike within that second")
		f.DurationVar(&o.within, "within", 0, "begin no more repetition after this time")
		f.BoolVar(&o.check, "check", false, "fail if Tandem breaks a promise that holds at any speed: one owner, service comes back, each change of state is explained once and names the fault")
		f.StringVar(&faults, "fault", "", "some of "+strings.Join(faultNames(), ",")+" (default all; of peers then only those where they differ)")
	} else {
		f.Float64Var(&o.minutes, "minutes", 1, "how long")
		f.IntVar(&o.busy, "busy", 4, "busy loops per processor")
		f.Float64Var(&o.quota, "quota", 0, "processors that each balancer may use, 0.5 say; 0: no limit. It needs cgroups")
	}
	err := f.Parse(args[1:])
	if err == nil {
		err = o.fill(f.Args(), faults, peers, adverts)
		if err != nil {
			fmt.Fprintln(w, err)
		}
	}
	return o, err
}

// fill checks the lists.
func (o *options) fill(rest []string, faults, peers, adverts string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is too much", rest)
	}
	if o.command == "failover" && o.n < 1 || o.command == "overload" && o.minutes <= 0 {
		return errors.New("nothing to do: -n and --minutes begin above 0")
	}
	if o.busy < 0 || o.quota < 0 {
		return errors.New("--busy and --quota are 0 or more")
	}
	o.faults, o.named = faultNames(), faults != ""
	if faults != "" {
		o.faults = strings.Split(faults, ",")
	}
	for _, name := range o.faults {
		if !slices.Contains(faultNames(), name) {
			return fmt.Errorf("no fault is called %q; there are %s", name, strings.Join(faultNames(), ", "))
		}
	}
	if err := o.fillAdverts(adverts); err != nil {
		return err
	}
	return o.fillPeers(peers)
}

func (o *options) fillAdverts(adverts string) error {
	if adverts == "" {
		o.adverts = []time.Duration{0}
		return nil
	}
	for word := range strings.SplitSeq(adverts, ",") {
		d, err := time.ParseDuration(word)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no interval; try 5ms", word)
		}
		o.adverts = append(o.adverts, d)
	}
	return nil
}

func (o *options) fillPeers(peers string) error {
	if peers == "" {
		return nil
	}
	for name := range strings.SplitSeq(peers, ",") {
		switch {
		case name == "keepalived":
			o.peers = append(o.peers, settingNames()...)
		case slices.Contains(settingNames(), name):
			o.peers = append(o.peers, name)
		default:
			return fmt.Errorf("no peer is called %q; there are keepalived (all of) %s", name, strings.Join(settingNames(), ", "))
		}
	}
	return nil
}

func settingNames() []string {
	var out []string
	for _, s := range settings {
		out = append(out, s.name)
	}
	return out
}
