package election

import (
	"fmt"
	"time"
)

// Machine decides for one VIP group on one node. One goroutine owns it; its methods never block.
type Machine struct {
	cfg  Config
	now  time.Time // the latest handed in
	acts []Action  // of the Step or Tick under way
	news []Action  // its transitions: they come last

	state       State
	since       time.Time
	reason      Reason
	transitions uint64

	peers      []*peer // sorted by name, at most MaxPeers
	epoch      uint64  // highest seen, own claims included
	claim      uint64  // epoch of the own claim, while claiming, Active or Draining
	fitness    uint8
	serving    bool
	alive      bool // not serving, but connections may live on
	notServing string
	foreign    string // MAC of the last foreign claimant

	deadline time.Time // as last returned
	expected time.Time // when the shell had to wake up: deadline, but not before it was told
	slept    bool      // it woke up far too late; what was not heard meanwhile proves nothing
	late     recent    // how late it wakes up
	nextSend time.Time
	sentAt   time.Time // the last advert
	repeats  int       // of the next advert, in short order
	yielding bool      // adverts say priority 0: the VIP is off this node, somebody else shall have it

	token     uint64    // of the last request; none is used twice
	pending   request   // what the shell is doing that we wait for
	answerBy  time.Time // when pending has failed
	mustProbe bool      // no active was ever known: ask the wire before a claim (E11)

	asked    [maxAsked]asked // the latest queries, as a ring
	queries  uint64          // how many there have been
	round    int             // of the silence under way
	askedAt  time.Time       // the last round
	askedAll time.Time       // the last round by all paths
	metAt    time.Time       // when everybody was last asked who has the VIP (E8)

	third     bool      // a third station was heard of late (E5)
	solicited time.Time // when this node first asked for a proof that it hears, in this silence
	solicitAt time.Time // when it may ask again
	proof     time.Time // when it last had one
	isolated  bool      // it hears nobody (E12)
	hears     bool      // it was told of a Hearing: else nobody is asked on the wire (E6)
	hearing   Hearing

	complaints uint64 // how many this machine has made
	fenced     bool   // the shell has been told to write nothing about the VIP
	kept       bool   // Fault, Backup: the VIP is here, fenced, from before an isolation

	tried    bool      // the seeds have been
	known    []string  // who is waited for before silence counts
	settled  bool      // Backup: the active-down interval has begun
	settleBy time.Time // Backup: it begins then at the latest
	floor    time.Time // Backup: no claim before, whoever holds the VIP
	lost     Reason    // Backup: why a claim would be made
	pardoned bool      // Backup: has discarded the silence of its own sleep once

	relievedAt time.Time // Backup: when an active in order asked to be relieved; zero for not
	voluntary  bool      // Backup: it need not have yielded; Active: this node has the VIP by such a move (E9)
	useless    bool      // Backup: it yielded since nobody on the segment is answered by it (E6)
	verifyBy   time.Time // Active: a pause has been verified then at the latest; zero: there was none

	betterSince time.Time // Active: since when a clearly better peer is there; zero for none
	defended    time.Time // Active: last announcement against a foreign claimant

	next     State     // Draining: Backup, or Init for a shutdown
	yieldBy  time.Time // Draining: yields then even if the Release has not been answered
	farewell bool      // Draining: the VIP is off, the last adverts are under way

	leaving bool      // it was asked to end
	held    bool      // Fault: the VIP may still be on this node, Release first
	retryAt time.Time // Fault

	give        giving            // the handover of this node's VIP
	again       wish              // the one that came to nothing, and is tried again
	againAt     time.Time         // Active: then; zero for there is none
	take        taking            // the handover to this node
	asking      asker             // the active has been asked to hand over for this one
	moved       asker             // waits until somebody is active
	endAt       time.Time         // Active: was asked to end while it drained; zero for not
	links       map[string]uint64 // boots to which a state channel stands, by node; at most MaxPeers
	lossless    bool
	notLossless string
	lossyTo     map[string]string // why what these nodes forward would not arrive here; at most MaxPeers
}

// New returns a machine in Init whose Deadline is now: the first Tick starts it. The error names every
// fault of cfg at once.
func New(cfg Config, now time.Time) (*Machine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("election of group %q: %w", cfg.Group, err)
	}
	return &Machine{
		cfg: cfg, now: now, since: now, deadline: now,
		fitness: 255, serving: true, mustProbe: true,
		lost: Reason{Why: WhyNoActive}, links: make(map[string]uint64), lossyTo: make(map[string]string), notLossless: "this node cannot forward",
	}, nil
}

// Step takes in what happened at now and returns what to do. Time alone never passes in Step: when Deadline
// is not after now, the shell calls Tick next.
func (m *Machine) Step(now time.Time, ev Event) []Action {
	m.begin(now)
	if m.ended() {
		return nil
	}
	switch ev := ev.(type) {
	case Heard:
		m.hear(ev, 0)
	case SeedsTried:
		m.known, m.tried = ev.Known, true
		m.settleOnceHeard()
	case Probed:
		m.probed(ev)
	case Claimed:
		m.claimed(ev)
	case Released:
		m.released(ev)
	case Conflict:
		m.conflict(ev.MAC)
	case PeerGone:
		m.peerGone(ev.Node)
	case Fitness:
		m.judge(ev.Value, Serving{OK: m.serving, Reason: m.notServing, Alive: m.alive})
	case Serving:
		m.judge(m.fitness, ev)
	case Shutdown:
		m.shutdown()
	case Answered:
		m.answeredQuery(ev)
	case Received:
		m.received(ev.At)
	case Stations:
		m.third = ev.Third
	case Isolated:
		m.isolate(ev.Yes)
	case Hearing:
		m.hears, m.hearing = true, ev
	case Complained:
		m.complained(ev)
	case Gone:
		m.gone(ev)
	case Paused:
		m.paused(ev.For)
	case Handover:
		m.askedToHandOver(ev)
	case Said:
		m.said(ev)
	case Linked:
		m.linked(ev)
	case Prepared:
		m.prepared(ev)
	case Connections:
		m.connections(ev.Left)
	case Lossless:
		m.toldLossless(ev)
	case Configured:
		m.configure(ev)
	default:
		panic(fmt.Sprintf("election: unknown event %T", ev))
	}
	return m.end()
}

// Tick lets time pass: the shell calls it when Deadline has come, AFTER it has handed in what was received
// until now. Too early is harmless; far too late is noticed (E13).
func (m *Machine) Tick(now time.Time) []Action {
	m.begin(now)
	if m.ended() {
		return nil
	}
	m.tickTaking()
	m.tickGiving()
	m.answerLate(false)
	switch {
	case m.state == Init:
		m.becomeBackup(Reason{Why: WhyStarted})
	case m.standsBy():
		m.tickBackup()
	case m.state == Active:
		m.tickActive()
	case m.state == Draining:
		m.tickDraining()
	case m.state == Fault:
		m.tickFault()
	}
	m.meet()
	if m.state != Init && m.due(m.nextSend) {
		m.sendOnTime()
	}
	m.slept = false
	return m.end()
}

// Deadline returns when Tick is wanted next; the zero time means never.
func (m *Machine) Deadline() time.Time { return m.deadline }

// begin opens a Step or Tick. A clock that went backwards stands still.
func (m *Machine) begin(now time.Time) {
	m.now = later(now, m.now)
	m.acts, m.news = nil, nil
	if m.expected.IsZero() {
		return
	}
	late := m.now.Sub(m.expected)
	m.slept = m.slept || late > overslept(m.cfg.AdvertInterval)
	if late <= max(ownJitter, m.cfg.AdvertInterval) {
		m.late.add(m.now, late)
	}
}

// end closes a Step or Tick.
func (m *Machine) end() []Action {
	m.deadline, m.expected = m.nextDeadline(), time.Time{}
	if !m.deadline.IsZero() {
		m.expected = later(m.deadline, m.now)
	}
	return append(m.acts, m.news...)
}

func (m *Machine) nextDeadline() time.Time {
	if m.ended() {
		return time.Time{}
	}
	return earliest(m.stateDeadline(), m.giveDeadline(), m.takeDeadline(), m.asking.by, m.moved.by)
}

func (m *Machine) stateDeadline() time.Time {
	if m.standsBy() {
		return earliest(m.nextSend, m.settleBy, m.answerBy, m.nextInBackup(), m.meetAt())
	}
	switch m.state {
	case Active:
		return earliest(m.nextSend, m.preemptAt(), m.verifyBy, m.verifyAt(), m.endAt, m.againAt, m.meetAt())
	case Draining:
		return earliest(m.nextSend, m.answerBy, m.yieldBy)
	case Fault:
		switch {
		case m.pending != nothing:
			return earliest(m.nextSend, m.answerBy)
		case m.isolated && !m.held:
			return m.nextSend
		}
		return earliest(m.nextSend, m.retryAt)
	}
	return m.since
}

func (m *Machine) due(t time.Time) bool { return !t.IsZero() && !t.After(m.now) }

func (m *Machine) ended() bool { return m.state == Init && m.reason.Why == WhyShutdown }

// fit: this node could serve.
func (m *Machine) fit() bool { return m.effectiveFitness() > 0 }

// effectiveFitness is 0 while the proxy does not serve, whatever else is well.
func (m *Machine) effectiveFitness() uint8 {
	if !m.serving {
		return 0
	}
	return m.fitness
}

func (m *Machine) rank() rank {
	return rank{m.standby(), fitnessBucket(m.effectiveFitness()), m.cfg.Priority, m.cfg.Addr, m.cfg.Node, m.cfg.Boot}
}

func (m *Machine) claimRank() claimRank { return claimRank{m.claim, m.rank()} }

// hear takes in what a peer says, by an advert (via 0) or in answer to a query; what follows from it depends
// on the state. It returns nil for what is no news.
func (m *Machine) hear(h Heard, via Path) *peer {
	if h.Group.Name != m.cfg.Group || h.Node == m.cfg.Node && h.Boot == m.cfg.Boot {
		return nil
	}
	p := m.peerOf(h.Node)
	if p == nil {
		return nil
	}
	if h.Boot == p.Boot && h.Seq < p.Seq { // an answer has overtaken it, or the other way round
		if via == 0 {
			m.advertCame(p, h.Interval)
		}
		return nil
	}
	was := *p
	m.record(p, h, via)
	m.epoch = max(m.epoch, min(h.Group.Epoch, maxEpoch))
	if p.active() {
		m.mustProbe = false // the VIP is known to be ours: whoever answers for it is one of us
	}
	m.heardOfMove(p)
	switch {
	case m.standsBy():
		m.settleOnceHeard()
		m.heardInBackup(p, was)
		m.heardStandingBy(p)
	case m.state == Active:
		m.heardInActive(p, was)
		m.watchDrain()
	case m.state == Draining:
		m.heardInDraining(p)
	}
	return p
}

// conflict: a host that is no balancer claims the VIP.
func (m *Machine) conflict(mac string) {
	m.foreign = mac
	switch {
	case m.state == Active:
		m.defend()
	case m.standsBy() && m.pending == probing:
		m.becomeFault(Reason{Why: WhyForeignOwner, Detail: mac})
	default:
		m.mustProbe = true
	}
}

// judge takes in how well this node could serve, and draws the consequence (E3).
func (m *Machine) judge(fitness uint8, ev Serving) {
	wasFit := m.fit()
	m.fitness, m.serving, m.alive, m.notServing = fitness, ev.OK, ev.Alive, ev.Reason
	switch {
	case m.state == Active:
		m.considerYield()
	case !m.standsBy() || m.fit() == wasFit:
	case m.fit():
		m.floor = later(m.floor, m.now) // its turn may be long past: the skew counts from now
		if m.lost.Why == WhyActiveSilent {
			m.floor = m.now.Add(activeDown(m.cfg.AdvertInterval)) // nobody has asked the one it heard last
		}
	case m.pending != nothing:
		m.withdraw(Reason{Why: WhyNotServing, Detail: m.notServing})
	}
}

// shutdown: an active hands over and drains, whoever may have the VIP releases it first; a second request waits
// for nothing.
func (m *Machine) shutdown() {
	m.leaving = true
	m.endAt = time.Time{}
	switch {
	case m.state == Active && m.give.phase == giveNothing && !(m.retries() && m.again.then == Init):
		m.dropAgain(m.cfg.Node + " ends")
		m.handOver(wish{why: WhyShutdown, then: Init, must: true})
	case m.give.phase != giveNothing && m.give.then != Init:
		m.give.then, m.give.must = Init, true
	case m.state == Active: // the second: not even for an answer to the offer
		m.becomeDraining(Reason{Why: WhyShutdown}, Init)
	case m.state == Draining && m.give.phase == giveNothing && m.next != Init:
		m.next = Init
	case m.state == Backup && m.pending == claiming, m.state == Fault && m.held, m.kept && m.state != Draining:
		m.becomeDraining(Reason{Why: WhyShutdown}, Init)
	default:
		m.becomeInit()
	}
}
