package election

import (
	"errors"
	"fmt"
	"time"
)

var errSim = errors.New("simulated failure")

// simGroup is one Machine on a node, and what its shell keeps for it.
type simGroup struct {
	*simNode
	index int // the same group of another node has the same

	cfg     Config
	machine *Machine  // nil while the node is down
	wakes   int       // counts wake-ups asked for: only the last one is valid
	wakesAt time.Time // when that is; zero: none is asked for

	fenced  bool // as the machine told
	held    bool // the kernel has the VIP
	jobs    []Action
	working bool
	stuck   bool // what hangs or fails keeps the VIP here, whatever anybody decides

	state State // as its Changed actions tell
	ended bool

	foreign string // who had the VIP when the wire was asked last; "" for nobody
	seen    record // the checker's
	ho      simHandover
}

// in returns the same group on another node.
func (g *simGroup) in(n *simNode) *simGroup { return n.groups[g.index] }

func (g *simGroup) String() string {
	if len(g.groups) == 1 {
		return g.name
	}
	return g.name + " " + g.cfg.Group
}

func (g *simGroup) start() {
	g.cfg.Boot = g.boot
	m, err := New(g.cfg, g.clock())
	if err != nil {
		g.w.fail("%v", err)
		return
	}
	g.machine, g.state, g.ended, g.wakesAt = m, Init, false, time.Time{}
	g.held, g.stuck, g.jobs, g.working, g.fenced, g.foreign = false, false, nil, false, false, ""
	g.w.inv.started(g)
	g.beginHandover()
	g.wake()
}

// wake asks for a Tick at the machine's deadline.
func (g *simGroup) wake() {
	at := g.machine.Deadline()
	if at.IsZero() {
		return
	}
	d := g.real(at.Sub(g.clock())) + g.w.upTo(g.w.maxTick)
	if !g.wakesAt.IsZero() && !g.w.now.Add(d).Before(g.wakesAt) {
		return // it will see then
	}
	g.wakes++
	wakes := g.wakes
	g.wakesAt = g.w.now.Add(d)
	g.later(d, func() {
		if wakes != g.wakes {
			return
		}
		g.wakesAt = time.Time{}
		switch {
		case g.paused:
		case g.machine.Deadline().After(g.clock()):
			g.wake()
		default:
			g.tick()
		}
	})
}

// tick: as the contract says, a Tick that leaves a Deadline of now is followed by another.
func (g *simGroup) tick() {
	for range 10 {
		g.act(g.machine.Tick(g.clock()))
		if g.machine == nil {
			return
		}
		d := g.machine.Deadline()
		if d.IsZero() || d.After(g.clock()) {
			g.wake()
			return
		}
	}
	g.w.fail("%s: Tick does not move the deadline on: %+v", g, g.machine.Status())
}

func (g *simGroup) step(ev Event) {
	if g.machine == nil || g.paused {
		return
	}
	g.w.log("%s ← %T%+v", g, ev, ev)
	g.w.inv.stepped(g, ev)
	g.act(g.machine.Step(g.clock(), ev))
	if g.machine != nil {
		g.wake()
	}
}

// receive takes in what an advert that came by path says of this group.
func (g *simGroup) receive(a *Advert, path Path) {
	var ev Event
	h, ok := a.Heard(g.cfg.Group)
	if ev = h; a.Echo != 0 {
		ev, ok = a.Answered(g.cfg.Group, path)
	}
	if !ok {
		return
	}
	if g.w.trace != nil {
		g.w.log("%s ← %s says by %v (%T) %+v", g, h.Node, path, ev, h.Group)
	}
	if q := g.machine.outstanding(a.Echo); a.Echo == 0 || q != nil { // else nobody of this life asked
		g.w.inv.heard(g, h, q)
	}
	g.act(g.machine.Step(g.clock(), ev))
	if g.machine != nil {
		g.wake()
	}
}

// act is the shell of action.go's contract.
func (g *simGroup) act(actions []Action) {
	for _, a := range actions {
		if _, ok := a.(Send); !ok && g.w.trace != nil {
			g.w.log("%s → %T%+v", g, a, a)
		}
		g.w.inv.acts(g, a)
		switch a := a.(type) {
		case Send:
			g.say()
		case Probe, Claim, Release, Drain:
			g.jobs = append(g.jobs, a)
			g.work()
		case Tell, Prepare, Forget, DrainProxy, ResumeProxy, HandedOver:
			g.actHandover(a)
		case Query:
			g.ask(a)
		case Solicit:
			g.solicit()
		case Fence:
			g.fenced = true
		case Unfence:
			g.fenced = false
		case Announce:
			g.w.announced(g)
		case Changed:
			if g.state = a.To; a.To == Init {
				g.end()
				return
			}
		}
	}
	g.w.inv.acted(g)
}

// end: the process ends with its last group.
func (g *simGroup) end() {
	g.ended = true
	for _, other := range g.groups {
		if !other.ended {
			return
		}
	}
	g.powerLoss()
	if g.w.quiet {
		g.simNode.start()
	}
}

// work runs the slow actions one after another, and answers each.
func (g *simGroup) work() {
	if g.working || len(g.jobs) == 0 {
		return
	}
	job := g.jobs[0]
	g.jobs, g.working = g.jobs[1:], true
	takes := g.w.upTo(g.w.maxWork)
	if g.w.chance(g.hanging) {
		takes = g.w.upTo(g.maxHang())
	}
	var failed error
	if g.w.chance(g.failing) {
		failed = errSim
	}
	_, release := job.(Release)
	g.stuck = g.stuck || takes > g.w.maxWork || release && failed != nil
	g.later(takes, func() {
		var answer Event
		switch job := job.(type) {
		case Probe:
			g.foreign = g.unknownOwner()
			answer = Probed{Token: job.Token, Owner: g.foreign, Err: failed}
		case Drain:
			g.ho.quiet = g.held
			g.stuck = g.stuck && len(g.jobs) > 0
			g.working = false
			g.work()
			return
		case Claim:
			g.held = failed == nil
			g.ho.quiet = false
			g.stuck = g.stuck && len(g.jobs) > 0 // a Release that waits for this Claim
			answer = Claimed{Token: job.Token, Err: failed}
		case Release:
			g.held = g.held && failed != nil
			g.ho.quiet = g.ho.quiet && g.held
			g.stuck = g.held
			answer = Released{Token: job.Token, Err: failed}
		}
		// The kernel acts at once; the loop hears of it a moment later, or after its pause.
		g.report(answer)
		g.working = false
		g.work()
	})
}

func (g *simGroup) report(answer Event) {
	g.later(g.w.upTo(g.w.maxTick), func() {
		if g.paused {
			g.report(answer)
			return
		}
		g.step(answer)
	})
}

// unknownOwner returns who else answers for the VIP on the wire, if it is not known to be a balancer.
func (g *simGroup) unknownOwner() string {
	w := g.w
	if s := w.squatter; s != nil && s.answers(g) && w.reaches(g.simNode, &s.place) {
		return squatterMAC
	}
	for _, o := range w.nodes {
		_, known := g.machine.findPeer(o.name)
		if o != g.simNode && g.in(o).held && !known && w.onWire(g.simNode, o) && w.onWire(o, g.simNode) {
			return fmt.Sprintf("02:00:00:00:00:%02x", o.id)
		}
	}
	return ""
}
