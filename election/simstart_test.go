package election

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"
)

// Two or three equal nodes that start at the same instant end with exactly one active, whatever the network
// does meanwhile: here every pattern of loss of the datagrams around their claims, after a silence of any
// length before, with quick and slow shells. Then the network works, and one owner is left.
func TestE11NodesThatStartTogetherEndWithOneActive(t *testing.T) {
	fates := 7 // datagrams whose loss is decided one by one
	if testing.Short() {
		fates = 4
	}
	defer debug.SetGCPercent(debug.SetGCPercent(2000))
	for _, nodes := range []int{2, 3} {
		for _, quiet := range []time.Duration{0, 70, 90, 95, 115, 200} { // claims begin after 80 ms
			for _, work := range []time.Duration{0, 3, 30} {
				for pattern := range 1 << fates {
					c := startTogether{nodes, quiet * time.Millisecond, work * time.Millisecond, pattern, fates}
					if err := c.run(nil); err != nil {
						_ = c.run(t.Logf)
						t.Fatalf("%+v: %v", c, err)
					}
				}
			}
		}
	}
}

type startTogether struct {
	nodes   int
	quiet   time.Duration // nothing is heard for so long
	work    time.Duration // a Probe or Claim takes up to this
	pattern int           // bit i: the i-th datagram after that is lost
	fates   int
}

func (c startTogether) run(trace func(string, ...any)) error {
	w := newWorld(uint64(c.pattern), 20*time.Millisecond)
	w.trace = trace
	w.maxDelay, w.maxTick, w.maxWork, w.maxLost = time.Millisecond, 0, c.work, c.fates
	sent := 0
	w.lose = func() bool {
		sent++
		return sent <= c.fates && c.pattern>>(sent-1)&1 == 1
	}
	for range c.nodes {
		n := w.addNode(Config{NewFor: -1})
		n.start()
		n.step(SeedsTried{})
	}
	w.cutAll()
	w.after(c.quiet, w.heal)
	w.run(epochStart.Add(800 * time.Millisecond))
	owners := 0
	for _, n := range w.nodes {
		if g := n.groups[0]; g.held && g.state == Active {
			owners++
		}
	}
	if w.err == nil && owners != 1 {
		w.fail("%d owners", owners)
	}
	return w.err
}

// The bounds that a pair keeps on a network without faults, whenever the fault comes.
func TestOutages(t *testing.T) {
	const (
		interval = 20 * time.Millisecond
		delay    = time.Millisecond
		work     = time.Millisecond // a Claim or Release takes up to this
		late     = time.Millisecond // a shell wakes up late by up to this
		// From hearing of a yield to the VIP: the datagram, the answer to Claim, and the two wake-ups between.
		move = delay + work + 3*late
	)
	for _, tc := range []struct {
		fault string
		do    func(active *simNode)
		want  time.Duration
	}{
		{"power loss", (*simNode).powerLoss, activeDown(interval) + move},
		{"shutdown", func(n *simNode) { n.step(Shutdown{}) }, late + move},
		{"not serving", func(n *simNode) { n.step(Serving{Reason: "stuck"}) }, late + move},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			var worst time.Duration
			for seed := range uint64(300) {
				w := newWorld(seed, interval)
				w.maxDelay, w.maxTick, w.maxWork = delay, late, work
				w.unable = 1 // what cannot be handed over is yielded
				for range 2 {
					w.addNode(Config{NewFor: -1}).start()
					w.run(w.now.Add(w.upTo(interval)))
				}
				w.run(w.now.Add(4*time.Second + w.upTo(interval)))
				outage, err := w.outage(tc.do)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				worst = max(worst, outage)
			}
			t.Logf("worst outage %v, bound %v", worst, tc.want)
			if worst > tc.want {
				t.Errorf("an outage of %v, want at most %v", worst, tc.want)
			}
		})
	}
}

// outage does something to the owner and returns for how long nobody has the VIP.
func (w *world) outage(do func(*simNode)) (time.Duration, error) {
	owner := func() *simGroup {
		for _, n := range w.nodes {
			if n.groups[0].held {
				return n.groups[0]
			}
		}
		return nil
	}
	old := owner()
	if old == nil || old.state != Active {
		return 0, fmt.Errorf("nobody is active: %v", w.err)
	}
	do(old.simNode)
	gone := time.Time{}
	for end := w.now.Add(time.Second); w.now.Before(end) && w.err == nil; {
		switch now := owner(); {
		case now == nil && gone.IsZero():
			gone = w.now
		case now != nil && now != old:
			return w.now.Sub(gone), w.err
		}
		w.run(w.now.Add(10 * time.Microsecond))
	}
	return 0, fmt.Errorf("nobody took over: %v", w.err)
}
