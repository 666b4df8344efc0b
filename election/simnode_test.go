package election

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

var errSim = errors.New("simulated failure")

// simNode is a keeper in virtual time: the shell around one Machine.
type simNode struct {
	w  *world
	id int

	cfg     Config
	machine *Machine // nil while the node is down
	filter  Filter
	seq     uint64
	life    int // counts starts: what was begun in an earlier life is void
	wakes   int // counts wake-ups asked for: only the last one is valid

	rate    float64       // of its clock
	stopped time.Duration // what its clock has missed

	paused   bool
	pausedAt time.Time
	stops    bool     // its clock stands still meanwhile
	inbox    []packet // what arrived during the pause

	deaf, dumb bool                 // its interface receives, or sends, nothing
	deafSince  time.Time            // zero: it is not
	fenced     bool                 // as its machine told
	isolated   bool                 // as it was told
	gone       map[string]time.Time // when the state channel to a peer broke

	held    bool // the kernel has the VIP
	jobs    []Action
	working bool
	failing float64 // how often a Probe, Claim or Release fails
	hanging float64 // how often it takes up to maxHang
	stuck   bool    // what hangs or fails keeps the VIP here, whatever anybody decides

	state State // as its Changed actions tell
}

func (n *simNode) name() string { return n.cfg.Node }

func (w *world) bootOf(name string) uint64 {
	for _, n := range w.nodes {
		if n.name() == name {
			return n.cfg.Boot
		}
	}
	return 0
}

func (w *world) addNode(cfg Config) *simNode {
	n := &simNode{w: w, id: len(w.nodes), cfg: cfg}
	n.cfg.Group, n.cfg.Node = "vip", fmt.Sprintf("n%d", n.id)
	n.cfg.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(n.id + 1)})
	n.cfg.AdvertInterval, n.rate = w.interval, 1
	w.nodes = append(w.nodes, n)
	return n
}

// start is power on.
func (n *simNode) start() {
	if n.machine != nil {
		return
	}
	n.life++
	n.cfg.Boot = n.w.rng.Uint64() | 1
	m, err := New(n.cfg, n.clock())
	if err != nil {
		n.w.fail("%v", err)
		return
	}
	n.machine, n.filter, n.seq, n.state, n.paused, n.inbox = m, Filter{}, 0, Init, false, nil
	n.held, n.stuck, n.jobs, n.working = false, false, nil, false
	n.fenced, n.isolated, n.gone = false, false, make(map[string]time.Time)
	n.w.log("%s starts", n.name())
	n.w.inv.started(n)
	n.wake()
	n.look()
	if n.w.chance(0.7) { // else the seeds never answer, and SettleTimeout must do
		n.later(n.w.upTo(5*n.w.interval), func() { n.step(SeedsTried{}) })
	}
}

// powerLoss ends everything at once.
func (n *simNode) powerLoss() {
	n.w.log("%s loses power", n.name())
	n.machine, n.held, n.paused, n.inbox = nil, false, false, nil
	n.life++
}

// kill is kill -9 of the keeper: the address stays behind, but nobody answers for it (that is the keeper's
// work), and the kernel tells the peers' state channels at once (E7).
func (n *simNode) kill() {
	if n.machine == nil {
		return
	}
	boot := n.cfg.Boot
	n.powerLoss()
	n.w.hangUp(n, boot)
}

// clock is what this node's clock shows.
func (n *simNode) clock() time.Time {
	return epochStart.Add(time.Duration(float64(n.w.now.Sub(epochStart))*n.rate) - n.stopped)
}

// pause stops the node; its clock runs on or not, and what arrives waits.
func (n *simNode) pause(d time.Duration, stops bool) {
	if n.machine == nil || n.paused {
		return
	}
	n.w.log("%s is paused for %v, its clock stops: %v", n.name(), d, stops)
	n.paused, n.pausedAt, n.stops = true, n.w.now, stops
	n.later(d, n.resume)
}

// hang is a pause of the loop alone: the sender's own thread goes on, and says that this node does not
// serve (E3).
func (n *simNode) hang(d time.Duration) {
	if n.machine == nil || n.paused {
		return
	}
	n.pause(d, false)
	g := n.machine.Advert()
	g.Priority = 0
	var beat func()
	beat = func() {
		if n.paused {
			n.say(g)
			n.later(n.w.interval, beat)
		}
	}
	beat()
}

func (n *simNode) resume() {
	if !n.paused {
		return
	}
	n.w.log("%s goes on", n.name())
	n.paused = false
	d := n.w.now.Sub(n.pausedAt)
	if n.stops {
		n.stopped += d
	}
	if d > PauseAfter(n.cfg.AdvertInterval) {
		n.step(Paused{For: d})
	}
	inbox := n.inbox
	n.inbox = nil
	for _, p := range inbox {
		n.receive(p)
	}
	if n.machine != nil {
		n.tick()
	}
}

// later runs f in this life of the node.
func (n *simNode) later(d time.Duration, f func()) {
	life := n.life
	n.w.after(d, func() {
		if n.life == life && n.machine != nil {
			f()
		}
	})
}

// wake asks for a Tick at the machine's deadline.
func (n *simNode) wake() {
	n.wakes++
	wakes, at := n.wakes, n.machine.Deadline()
	if at.IsZero() {
		return
	}
	n.later(n.real(at.Sub(n.clock()))+n.w.upTo(n.w.maxTick), func() {
		if wakes == n.wakes && !n.paused {
			n.tick()
		}
	})
}

// real returns how long d by this node's clock takes; never less than nothing.
func (n *simNode) real(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	if n.rate == 1 {
		return d
	}
	return time.Duration(float64(d)/n.rate) + time.Nanosecond
}

// tick: as the contract says, a Tick that leaves a Deadline of now is followed by another.
func (n *simNode) tick() {
	for range 10 {
		n.act(n.machine.Tick(n.clock()))
		if n.machine == nil {
			return
		}
		d := n.machine.Deadline()
		if d.IsZero() || d.After(n.clock()) {
			n.wake()
			return
		}
	}
	n.w.fail("%s: Tick does not move the deadline on: %+v", n.name(), n.machine.Status())
}

func (n *simNode) step(ev Event) {
	if n.machine == nil || n.paused {
		return
	}
	n.w.log("%s ← %T%+v", n.name(), ev, ev)
	n.w.inv.stepped(n, ev)
	n.act(n.machine.Step(n.clock(), ev))
	if n.machine != nil {
		n.wake()
	}
}

// packet is a datagram with the path by which it came, and from whom, so that an answer finds its way back.
type packet struct {
	datagram []byte
	path     Path
	from     int
}

func (n *simNode) receive(p packet) {
	if n.machine == nil {
		return
	}
	if n.paused {
		n.inbox = append(n.inbox, p)
		return
	}
	if IsQuestion(p.datagram) {
		n.asked(p)
		return
	}
	a, err := Open(p.datagram, nil)
	if err != nil {
		n.w.fail("%s cannot read an advert: %v", n.name(), err)
		return
	}
	var ev Event
	h, _ := a.Heard(n.cfg.Group)
	if a.Echo != 0 {
		ev, _ = a.Answered(n.cfg.Group, p.path)
	} else if n.filter.Accept(&a) == nil {
		ev = h
	} else {
		return
	}
	if n.w.trace != nil {
		n.w.log("%s ← %s says by %v (%T) %+v", n.name(), h.Node, p.path, ev, h.Group)
	}
	if a.Echo == 0 || n.machine.outstanding(a.Echo) != nil { // else nobody of this life asked
		n.w.inv.heard(n, h, a.Echo != 0)
	}
	n.act(n.machine.Step(n.clock(), ev))
	if n.machine != nil {
		n.wake()
	}
}

// act is the shell of action.go's contract.
func (n *simNode) act(actions []Action) {
	for _, a := range actions {
		if _, ok := a.(Send); !ok {
			n.w.log("%s → %T%+v", n.name(), a, a)
		}
		n.w.inv.acts(n, a)
		switch a := a.(type) {
		case Send:
			n.say(n.machine.Advert())
		case Probe, Claim, Release:
			n.jobs = append(n.jobs, a)
			n.work()
		case Query:
			n.ask(a)
		case Solicit:
			n.solicit()
		case Fence:
			n.fenced = true
		case Unfence:
			n.fenced = false
		case Announce:
			n.w.announced(n)
		case Changed:
			n.state = a.To
			if a.To == Init {
				n.powerLoss() // the process ends
				if n.w.quiet {
					n.start()
				}
				return
			}
		}
	}
}

func (n *simNode) say(g GroupAdvert) {
	if b := n.advert(g, 0); b != nil {
		n.w.transmit(n.id, b)
	}
}

// advert makes one datagram, nil after a failure.
func (n *simNode) advert(g GroupAdvert, echo uint64) []byte {
	n.seq++
	a := Advert{
		Node: n.cfg.Node, Boot: n.cfg.Boot, Seq: n.seq, Echo: echo, Addr: n.cfg.Addr, Interval: n.cfg.AdvertInterval,
		Late:   n.w.upTo(2 * n.w.maxTick),
		Groups: []GroupAdvert{g},
	}
	b, err := Seal(nil, &a, nil)
	if err != nil {
		n.w.fail("%s cannot advertise: %v", n.name(), err)
		return nil
	}
	return b
}

// work runs the slow actions one after another, and answers each.
func (n *simNode) work() {
	if n.working || len(n.jobs) == 0 {
		return
	}
	job := n.jobs[0]
	n.jobs, n.working = n.jobs[1:], true
	takes := n.w.upTo(n.w.maxWork)
	if n.w.chance(n.hanging) {
		takes = n.w.upTo(n.maxHang())
	}
	var failed error
	if n.w.chance(n.failing) {
		failed = errSim
	}
	_, release := job.(Release)
	n.stuck = n.stuck || takes > n.w.maxWork || release && failed != nil
	n.later(takes, func() {
		var answer Event
		switch job := job.(type) {
		case Probe:
			answer = Probed{Token: job.Token, Owner: n.unknownOwner(), Err: failed}
		case Claim:
			n.held = failed == nil
			n.stuck = n.stuck && len(n.jobs) > 0 // a Release that waits for this Claim
			answer = Claimed{Token: job.Token, Err: failed}
		case Release:
			n.held = n.held && failed != nil
			n.stuck = n.held
			answer = Released{Token: job.Token, Err: failed}
		}
		// The kernel acts at once; the loop hears of it a moment later, or after its pause.
		n.report(answer)
		n.working = false
		n.work()
	})
}

// maxHang is beyond what the machine waits for.
func (n *simNode) maxHang() time.Duration { return 2 * n.cfg.AnswerTimeout }

func (n *simNode) report(answer Event) {
	n.later(n.w.upTo(n.w.maxTick), func() {
		if n.paused {
			n.report(answer)
			return
		}
		n.step(answer)
	})
}

// unknownOwner returns who else answers for the VIP on the wire, if it is not known to be a balancer.
func (n *simNode) unknownOwner() string {
	for _, o := range n.w.nodes {
		if _, known := n.machine.findPeer(o.name()); o != n && o.held && !known && n.w.onWire(n, o) && n.w.onWire(o, n) {
			return fmt.Sprintf("02:00:00:00:00:%02x", o.id)
		}
	}
	return ""
}
