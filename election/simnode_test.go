package election

import (
	"fmt"
	"net/netip"
	"time"
)

// simNode is a keeper's host in virtual time: a clock, interfaces, and the shell around one Machine per group.
type simNode struct {
	w  *world
	id int

	name   string
	boot   uint64
	addr   netip.Addr
	groups []*simGroup
	up     bool
	filter Filter
	seq    uint64
	life   int // counts starts: what was begun in an earlier life is void

	rate    float64       // of its clock
	stopped time.Duration // what its clock has missed

	paused   bool
	pausedAt time.Time
	stops    bool      // its clock stands still meanwhile
	inbox    []*packet // what arrived during the pause

	deaf, dumb bool                 // its interfaces receive, or send, nothing
	segment    segment              // its interface on the VIP's segment
	gone       map[string]time.Time // when the state channel to a peer broke

	failing float64 // how often a Probe, Claim or Release fails
	hanging float64 // how often it takes up to maxHang
}

func (w *world) nodeOf(name string) *simNode {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// addNode adds a node with one group for each of cfgs.
func (w *world) addNode(cfgs ...Config) *simNode {
	n := &simNode{w: w, id: len(w.nodes), rate: 1}
	n.name, n.addr = fmt.Sprintf("n%d", n.id), netip.AddrFrom4([4]byte{10, 0, 0, byte(n.id + 1)})
	for i, cfg := range cfgs {
		cfg.Group, cfg.Node, cfg.Addr, cfg.AdvertInterval = fmt.Sprintf("vip%d", i), n.name, n.addr, w.interval
		n.groups = append(n.groups, &simGroup{simNode: n, index: i, cfg: cfg})
	}
	w.nodes = append(w.nodes, n)
	return n
}

// start is power on.
func (n *simNode) start() {
	if n.up {
		return
	}
	n.life++
	n.up, n.boot = true, n.w.rng.Uint64()|1
	n.filter, n.seq, n.paused, n.inbox = Filter{}, 0, false, nil
	n.gone = make(map[string]time.Time)
	n.w.log("%s starts", n.name)
	for _, g := range n.groups {
		g.start()
	}
	n.look()
	if n.w.chance(0.7) { // else the seeds never answer, and SettleTimeout must do
		n.later(n.w.upTo(5*n.w.interval), func() { n.step(SeedsTried{Known: n.w.present(n)}) })
	}
}

// present are the other nodes that members take to be there: none where there are no members.
func (w *world) present(n *simNode) []string {
	var names []string
	for _, o := range w.nodes {
		if o != n && o.up && w.relay && !w.away[n.id] && !w.away[o.id] {
			names = append(names, o.name)
		}
	}
	return names
}

// powerLoss ends everything at once.
func (n *simNode) powerLoss() {
	n.w.log("%s loses power", n.name)
	n.up, n.paused, n.inbox = false, false, nil
	for _, g := range n.groups {
		g.machine, g.held = nil, false
	}
	n.life++
}

// kill is kill -9 of the keeper: the address stays behind, but nobody answers for it (that is the keeper's
// work), and the kernel tells the peers' state channels at once (E7).
func (n *simNode) kill() {
	if n.up {
		n.powerLoss()
		n.w.hangUp(n, n.boot)
	}
}

// clock is what this node's clock shows.
func (n *simNode) clock() time.Time {
	d := n.w.now.Sub(epochStart)
	if n.rate != 1 {
		d = time.Duration(float64(d) * n.rate)
	}
	return epochStart.Add(d - n.stopped)
}

// pause stops the node; its clock runs on or not, and what arrives waits.
func (n *simNode) pause(d time.Duration, stops bool) {
	if !n.up || n.paused {
		return
	}
	n.w.log("%s is paused for %v, its clock stops: %v", n.name, d, stops)
	n.paused, n.pausedAt, n.stops = true, n.w.now, stops
	n.later(d, n.resume)
}

// hang is a pause of the loop alone: the sender's own thread goes on, and says that this node does not
// serve (E3).
func (n *simNode) hang(d time.Duration) {
	if !n.up || n.paused {
		return
	}
	n.pause(d, false)
	adverts := n.adverts()
	for i := range adverts {
		adverts[i].Priority = 0
	}
	var beat func()
	beat = func() {
		if n.paused {
			n.send(adverts)
			n.later(n.w.interval, beat)
		}
	}
	beat()
}

func (n *simNode) resume() {
	if !n.paused {
		return
	}
	n.w.log("%s goes on", n.name)
	n.paused = false
	d := n.w.now.Sub(n.pausedAt)
	if n.stops {
		n.stopped += d
	}
	if d > PauseAfter(n.w.interval) {
		n.step(Paused{For: d})
	}
	inbox := n.inbox
	n.inbox = nil
	for _, p := range inbox {
		n.receive(p)
	}
	for _, g := range n.groups {
		if g.machine != nil {
			g.tick()
		}
	}
}

// later runs f in this life of the node.
func (n *simNode) later(d time.Duration, f func()) {
	life := n.life
	n.w.after(d, func() {
		if n.life == life && n.up {
			f()
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

// step hands an event to each group.
func (n *simNode) step(ev Event) {
	for _, g := range n.groups {
		g.step(ev)
	}
}

// packet is a datagram with the path by which it came, and from whom, so that an answer finds its way back.
type packet struct {
	datagram []byte
	path     Path
	from     int
	opened   *Advert // all who receive it read the same
	said     *Said   // a message of the state channel to this group, and no datagram
	group    int
}

func (p *packet) open() (*Advert, error) {
	if p.opened == nil {
		a, err := Open(p.datagram, nil)
		if err != nil {
			return nil, err
		}
		p.opened = &a
	}
	return p.opened, nil
}

func (n *simNode) receive(p *packet) {
	if !n.up {
		return
	}
	if n.paused {
		n.inbox = append(n.inbox, p)
		return
	}
	if p.said != nil {
		n.groups[p.group].takes(*p.said)
		n.groups[p.group].step(*p.said)
		return
	}
	if IsQuestion(p.datagram) {
		n.asked(p)
		return
	}
	a, err := p.open()
	if err != nil {
		n.w.fail("%s cannot read an advert: %v", n.name, err)
		return
	}
	if a.Echo == 0 && n.filter.Accept(a) != nil {
		return
	}
	for _, g := range n.groups {
		if g.machine != nil {
			g.receive(a, p.path)
		}
	}
}

// say advertises.
func (n *simNode) say() { n.send(n.adverts()) }

func (n *simNode) send(groups []GroupAdvert) {
	if b := n.advert(groups, 0); b != nil {
		n.w.transmit(n.id, b)
	}
}

// adverts returns what each group says.
func (n *simNode) adverts() []GroupAdvert {
	all := make([]GroupAdvert, 0, len(n.groups))
	for _, g := range n.groups {
		all = append(all, g.machine.Advert())
	}
	return all
}

// advert makes one datagram, nil after a failure.
func (n *simNode) advert(groups []GroupAdvert, echo uint64) []byte {
	n.seq++
	b, err := Seal(nil, &Advert{
		Node: n.name, Boot: n.boot, Seq: n.seq, Echo: echo, Addr: n.addr, Interval: n.w.interval,
		Late: n.w.upTo(2 * n.w.maxTick), Groups: groups,
	}, nil)
	if err != nil {
		n.w.fail("%s cannot advertise: %v", n.name, err)
		return nil
	}
	return b
}

// maxHang is beyond what the machine waits for.
func (n *simNode) maxHang() time.Duration { return 2 * n.groups[0].cfg.AnswerTimeout }
