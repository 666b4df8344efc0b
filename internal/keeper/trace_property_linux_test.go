package keeper

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// chronicled is a group whose machine is driven by chance, and what is reported of it.
type chronicled struct {
	t       *testing.T
	l       *loop
	g       *group
	now     time.Time
	changes []string // that the machine made
	told    []*ipc.Transition
	answers []election.Event // that what it asked for will bring
}

func (c *chronicled) step(ev election.Event) {
	c.g.trace.saw(ev, c.now)
	c.do(c.g.machine.Step(c.now, ev))
}

// do is what carryOut does of it, as far as reports are concerned.
func (c *chronicled) do(actions []election.Action) {
	for _, a := range actions {
		c.g.trace.did(a, c.g.machine, c.now)
		switch a := a.(type) {
		case election.Probe:
			c.answers = append(c.answers, election.Probed{Token: a.Token})
		case election.Claim:
			c.answers = append(c.answers, election.Claimed{Token: a.Token})
		case election.Release:
			c.answers = append(c.answers, election.Released{Token: a.Token})
		case election.Announce:
			c.l.announced(announced{c.g, c.now})
		case election.Changed:
			c.changes = append(c.changes, fmt.Sprint(a.From, " ", a.To, " ", a.Reason.Why))
			c.l.record(c.g, a, c.now)
		}
	}
	c.take()
}

// take keeps what the chronicle has got since the last time.
func (c *chronicled) take() {
	for _, t := range c.l.chronicle.newer {
		if t.ID > uint64(len(c.told)) {
			c.told = append(c.told, t)
		}
	}
}

// chance lets something happen.
func (c *chronicled) chance(r *rand.Rand, peers []election.Heard) {
	c.now = c.now.Add(time.Duration(r.IntN(60)) * time.Millisecond)
	p := &peers[r.IntN(len(peers))]
	switch r.IntN(12) {
	case 0, 1, 2, 3:
		p.Seq++
		p.Group.Fitness = uint8(r.IntN(256))
		if r.IntN(4) == 0 {
			p.Group.State = election.State(r.IntN(5))
			p.Group.Epoch += uint64(r.IntN(3))
		}
		c.step(*p)
	case 4:
		c.step(election.Serving{OK: r.IntN(3) > 0, Reason: "by chance"})
	case 5:
		c.step(election.Received{At: c.now})
	case 6:
		c.step(election.Paused{For: time.Duration(r.IntN(500)) * time.Millisecond})
	case 7:
		c.step(election.Isolated{Yes: r.IntN(2) == 0})
	case 8:
		c.step(election.Gone{Node: p.Node, Boot: p.Boot})
	default:
		if len(c.answers) > 0 {
			ev := c.answers[0]
			c.answers = c.answers[1:]
			c.step(ev)
		}
	}
	if d := c.g.machine.Deadline(); !d.IsZero() && !d.After(c.now) {
		c.do(c.g.machine.Tick(c.now))
	}
	c.l.lookAtReports(c.now)
	c.take()
}

// Whatever happens, each change of state is told once, in its order, and with phases that can be.
func TestEachChangeIsToldOnceWhateverHappens(t *testing.T) {
	const steps = 3000
	seen := map[string]bool{}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		began := time.Unix(1000, 0)
		m, err := election.New(election.Config{Group: "default", Node: "lb2", Boot: 2, Addr: netip.MustParseAddr("10.0.0.2"), Priority: 100, AdvertInterval: 20 * time.Millisecond}, began)
		if err != nil {
			t.Fatal(err)
		}
		g := &group{name: "default", machine: m}
		c := &chronicled{t: t, g: g, now: began, l: &loop{groups: []*group{g}, control: &controlDesk{}, set: settings{interval: 20 * time.Millisecond}, chronicle: chronicle{boot: 7}}}
		peers := []election.Heard{
			{Node: "lb1", Boot: 1, Interval: 20 * time.Millisecond, Group: election.GroupAdvert{Name: "default", State: election.Backup, Priority: 90}},
			{Node: "lb3", Boot: 3, Interval: 50 * time.Millisecond, Group: election.GroupAdvert{Name: "default", State: election.Backup, Priority: 120}},
		}
		c.do(m.Tick(c.now))
		for range steps {
			c.chance(r, peers)
		}
		c.step(election.Shutdown{})
		c.l.lookAtReports(c.now.Add(time.Second))
		c.take()
		if len(c.told) != len(c.changes) {
			t.Fatalf("seed %d: %d changes, %d told", seed, len(c.changes), len(c.told))
		}
		state := "init"
		for i, is := range c.told {
			if got := fmt.Sprint(is.From, " ", is.To, " ", is.Reason); got != c.changes[i] || is.From != state || is.ID != uint64(i+1) || is.Boot != 7 {
				t.Fatalf("seed %d: change %d is %q after %s, and told as %q, number %d of %d", seed, i+1, c.changes[i], state, got, is.ID, is.Boot)
			}
			if p := is.Phases; p != nil && (p.Detect < 0 || p.Decide < 0 || p.Claim < 0 || p.Announce < 0 || p.Detect+p.Decide+p.Claim > is.At.Sub(began)) {
				t.Errorf("seed %d: change %d has the phases %+v, %v after the start", seed, i+1, *p, is.At.Sub(began))
			}
			state = is.To
			seen[is.Reason] = true
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %v happened", seen)
	}
}
