package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// overload keeps the machine busy four times over while the load runs, and counts changes
// of the owner, each of which is a false alarm.
func overload(ctx context.Context, o options, stacks []*stack, out, errOut io.Writer) (ok bool, err error) {
	var all []Overload
	for _, st := range stacks {
		x, err := overloaded(ctx, o, st, errOut)
		if err != nil {
			return false, fmt.Errorf("%s: %w", st.name, err)
		}
		all = append(all, x)
	}
	if o.json {
		return true, writeJSON(out, all)
	}
	if o.table {
		return true, writeOverloads(out, all)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "stack\tminutes\tbusy loops\tCPUs\ttakeovers\tper minute\tclaims\tworst advert lateness ms\tnone ms\tfailed\tof\t")
	for _, x := range all {
		fmt.Fprintf(t, "%s\t%.1f\t%d\t%d\t%d\t%.1f\t%s\t%s\t%.0f\t%d\t%d\t\n", x.Stack, x.Minutes, x.Loops, x.CPUs, x.Takeovers, x.PerMinute,
			told(float64(x.Claims)), told(x.WorstMS), x.NoneMS, x.Failed, x.Requests)
	}
	return true, t.Flush()
}

func overloaded(ctx context.Context, o options, st *stack, errOut io.Writer) (x Overload, err error) {
	s, err := newSite(ctx, st)
	if err != nil {
		return x, err
	}
	limits := &quotas{}
	defer func() { err = errors.Join(err, s.close(), limits.remove()) }()
	busy, err := s.lab.Host("busy", busyAddr)
	if err != nil {
		return x, err
	}
	if err := s.serve(ctx, max(o.warm, lateSpan), s.lbs...); err != nil {
		return x, err
	}
	x = Overload{Began: time.Now().UTC(), Command: command(), Commit: commitOf(o), Kernel: kernel(), Stack: st.name, CPUs: runtime.NumCPU(), Loops: o.busy * runtime.NumCPU(), Quota: o.quota, Minutes: o.minutes, Claims: -1, WorstMS: -1}
	if o.quota > 0 {
		for _, n := range s.lbs {
			// Something in the group must use it up: a quota that nobody exhausts limits nobody.
			if _, err := n.host.Start(lab.Command{Args: []string{spinArg}}); err != nil {
				return x, err
			}
			if err := limits.limit(n, o.quota); err != nil {
				return x, err
			}
		}
	}
	before := s.epoch()
	for range x.Loops {
		if _, err := busy.Start(lab.Command{Args: []string{spinArg}}); err != nil {
			return x, err
		}
	}
	c := &counter{site: s, has: map[*node]bool{}, worst: -1}
	if err := c.run(ctx, &x, errOut); err != nil {
		return x, err
	}
	x.Takeovers, x.PerMinute, x.WorstMS = c.takeovers, float64(c.takeovers)/o.minutes, c.worst
	if after := s.epoch(); after > 0 && before > 0 {
		x.Claims = after - before
	}
	if o.logs != "" {
		err = s.writeLogs(logFile(o, repetition{"overload", st.name, 0}), Trial{Calm: s.calm()}, nil)
	}
	return x, err
}

// Tandem remembers how late an advert was for 5 to 10 s. So it is asked every 5 s, when the
// progress is told, and the load begins when the start is forgotten.
const (
	reportEvery = 5 * time.Second
	lateSpan    = 10 * time.Second
)

// A counter counts changes of the owner.
type counter struct {
	site      *site
	has       map[*node]bool
	takeovers int
	worst     float64 // ms; -1: not told
}

// run counts for x's minutes, telling the progress.
func (c *counter) run(ctx context.Context, x *Overload, errOut io.Writer) error {
	s := c.site
	c.look()
	c.takeovers = 0 // who has it to begin with has not taken it over
	began := s.log.Now()
	length := time.Duration(x.Minutes * float64(time.Minute))
	for from := began; from-began < length; {
		if err := c.count(ctx, min(reportEvery, length-(from-began))); err != nil {
			return err
		}
		to := s.log.Now()
		if _, err := s.wait(ctx, 0, settleMax, func() bool { return s.log.Settled() >= to }); err != nil {
			return err
		}
		t := client.Count(s.log.Requests(), client.Window{From: from, To: to})
		x.Requests, x.Failed, x.Skipped = x.Requests+t.Requests, x.Failed+t.Failed, x.Skipped+t.Skipped
		none := s.owners.Report(owners.Window{From: from, To: to}).None
		x.NoneMS = max(x.NoneMS, millis(none))
		fmt.Fprintf(errOut, "%s: after %v %d takeovers, worst advert lateness %s ms, nobody answered for %v, failed %d of %d, %d skipped\n",
			x.Stack, (to - began).Round(time.Second), c.takeovers, told(c.worst), none.Round(time.Millisecond), t.Failed, t.Requests, t.Skipped)
		from = to
	}
	return nil
}

// look notes who has the address now.
func (c *counter) look() {
	for _, n := range c.site.lbs {
		has := c.site.owners.Has(n.name)
		if has && !c.has[n] {
			c.takeovers++
		}
		c.has[n] = has
	}
}

// count looks for a while, and asks how late adverts were.
func (c *counter) count(ctx context.Context, length time.Duration) error {
	_, err := c.site.wait(ctx, length, length, func() bool { c.look(); return true })
	for _, n := range c.site.lbs {
		if st, ok := c.site.status(n); ok {
			c.worst = max(c.worst, millis(time.Duration(st.Adverts.WorstLate)))
		}
	}
	return err
}

// tandemStatus is what 'tandem status --json' prints, as far as we look at it.
type tandemStatus struct {
	Groups []struct {
		Epoch int `json:"epoch"`
	} `json:"groups"`
	Adverts struct {
		WorstLate int64 `json:"worst_late"` // nanoseconds
	} `json:"adverts"`
}

// statusMax is how long a balancer may take to answer, on a machine this busy.
const statusMax = 10 * time.Second

// status asks a balancer; false: it is not Tandem's, or does not answer.
func (s *site) status(n *node) (st tandemStatus, ok bool) {
	if !s.stack.has(roleControl) {
		return st, false
	}
	var out bytes.Buffer
	p, err := n.host.Start(lab.Command{Path: tandemPath(), Args: strings.Fields("status --json"), Stdout: &out})
	if err != nil {
		return st, false
	}
	select {
	case <-p.Done():
	case <-time.After(statusMax):
		p.Signal(os.Kill)
		<-p.Done()
	}
	return st, p.Wait() == nil && json.Unmarshal(out.Bytes(), &st) == nil
}

// epoch is the greatest that a balancer knows of; 0: not told.
func (s *site) epoch() int {
	most := 0
	for _, n := range s.lbs {
		st, ok := s.status(n)
		for _, g := range st.Groups {
			if ok {
				most = max(most, g.Epoch)
			}
		}
	}
	return most
}
