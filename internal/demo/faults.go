package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

const (
	windowMin = 1200 * time.Millisecond // 600 requests
	windowMax = 5 * time.Second         // then the fault counts as not overcome
	rest      = 20 * time.Millisecond   // between a window's calm end and the next fault
)

// step is one fault: the harm, and when it is overcome.
type step struct {
	does string        // what happens, for the reader
	hit  func() error  // does it
	over []expectation // all must hold at the window's end
}

// expectation is something that is waited for.
type expectation struct {
	what string
	met  func() bool
}

// steps prepares a fault, knowing who is active and who lost power earlier.
type stepper func(s *site, active, lost string) (step, error)

var steppers = map[string]stepper{
	PowerLoss:     powerLoss,
	PowerBack:     powerBack,
	AppStop:       appStop,
	AppStart:      appStart,
	CleanShutdown: cleanShutdown,
}

func powerLoss(s *site, active, _ string) (step, error) {
	m := find(s.machines, active)
	if m == nil {
		return step{}, fmt.Errorf("not exactly one host is active, so none can lose its power as such")
	}
	return step{
		does: active + ", the active balancer, loses power",
		hit:  m.powerOff,
		over: append(s.served(appsWithout()), expectation{
			"another host to be active",
			func() bool { return s.active() != active },
		}),
	}, nil
}

func powerBack(s *site, _, lost string) (step, error) {
	m := find(s.machines, lost)
	if m == nil {
		return step{}, fmt.Errorf("no host is without power")
	}
	return step{
		does: lost + " has power again and starts its daemons",
		hit:  m.powerOn,
		over: append(s.served(appsWithout()), expectation{
			fmt.Sprintf("%s to listen on port %d", lost, sitePort),
			func() bool { return m.running() && m.listens(sitePort) },
		}),
	}, nil
}

// theApp is the one that is stopped and started.
var theApp = apps[0].name

func appStop(s *site, _, _ string) (step, error) {
	m := find(s.machines, theApp)
	return step{
		does: "SIGTERM to the agent of " + theApp + ", which leaves in order",
		hit:  m.terminate,
		over: append(s.served(appsWithout(theApp)), expectation{
			"the agent of " + theApp + " to end",
			func() bool { return !m.running() },
		}),
	}, nil
}

func appStart(s *site, _, _ string) (step, error) {
	m := find(s.machines, theApp)
	return step{
		does: "the agent of " + theApp + " is started again",
		hit:  m.start,
		over: s.served(appsWithout()),
	}, nil
}

func cleanShutdown(s *site, active, _ string) (step, error) {
	m := find(s.machines, active)
	if m == nil {
		return step{}, fmt.Errorf("not exactly one host is active, so none can be shut down as such")
	}
	return step{
		does: "SIGTERM to " + active + ", the active balancer",
		hit:  m.terminate,
		over: append(s.served(appsWithout()),
			expectation{
				"another host to be active",
				func() bool { return s.active() != active },
			},
			expectation{
				"the balancer on " + active + " to end",
				func() bool { return !m.running() },
			}),
	}, nil
}

// served expects exactly one active balancer and good answers from these apps.
func (s *site) served(names []string) []expectation {
	return []expectation{
		{"exactly one active balancer", func() bool { return s.active() != "" }},
		{fmt.Sprintf("good answers only, from %v", names), func() bool { return s.calm(names) }},
	}
}

// unmet returns the first expectation that does not hold.
func unmet(list []expectation) string {
	for _, e := range list {
		if !e.met() {
			return e.what
		}
	}
	return ""
}

// window is the time of a fault.
type window struct {
	name   string
	from   time.Duration // the fault
	calm   time.Duration // all expectations hold
	until  time.Duration // the next fault
	waited string        // the expectation that did not come true, if any
}

// measure sums up a fault.
func (s *site) measure(w window) Fault {
	reqs := s.log.Requests()
	gap := client.Outage(reqs, client.Window{From: w.from, To: w.calm}, s.log.Settled())
	own := s.owners.Report(owners.Window{From: w.from, To: w.until})
	count := s.count(w)
	return Fault{
		Name:         w.name,
		OutageMS:     millis(gap.Length()),
		Requests:     count.Requests,
		Failed:       count.Failed,
		ActiveBefore: s.activeAt(w.from),
		ActiveAfter:  s.activeAt(w.until),
		MaxOwners:    own.Max,
		waited:       w.waited,
		tally:        count,
	}
}

func (s *site) count(w window) client.Tally {
	return client.Count(s.log.Requests(), client.Window{From: w.from, To: w.until})
}

// wait polls until nothing is unmet and atLeast has passed, calling tick in
// between; it gives up after atMost and returns what was still missing.
func (s *site) wait(ctx context.Context, list []expectation, atLeast, atMost time.Duration, tick func()) (missing string, err error) {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	begun := s.log.Now()
	for {
		passed := s.log.Now() - begun
		if passed >= atLeast {
			missing = unmet(list)
			if missing == "" || passed >= atMost {
				return missing, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-s.ctx.Done():
			return "", fmt.Errorf("the observers ended: %w", context.Cause(s.ctx))
		case <-poll.C:
			tick()
		}
	}
}
