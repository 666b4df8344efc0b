package election

import "time"

// invariants are what must hold whatever happens, checked after every event from what can be seen from
// outside: who has the VIP, who can hear whom, which datagrams arrived.
type invariants struct {
	groups [maxGroups]groupInvariants
	whole  [maxNodes]time.Time // since when a node exchanges frames with every station
	single bool                // calm: there is one owner of each group, and it stays
}

type groupInvariants struct {
	both     [maxNodes][maxNodes]time.Time // since when two owners could hear each other
	related  [maxNodes][maxNodes]time.Time // since when a member could have told them of each other
	reach    [maxNodes][maxNodes]time.Time // since when the first, active, could have answered the second
	unserved [maxNodes]time.Time           // since when the owner reaches nobody on the segment, but this one everybody
	useless  *simNode                      // that owner
	owner    *simGroup                     // in calm
}

// record is what the checker remembers of one life of a group.
type record struct {
	epoch   uint64 // highest in its Status
	claimed uint64 // highest it claimed with
	changes uint64

	shutdowns int                 // a second one waits for nothing
	actives   [maxNodes]time.Time // peers that said "active" last, and when
	latest    [maxNodes]bootSeq   // what each of them said last
	since     [maxNodes]time.Time // when this boot of it was first heard
	ours      bool                // an active was heard once, or this node claimed
	probed    bool                // the wire was asked since the last claim
}

func (v *invariants) started(g *simGroup) { g.seen = record{} }

// maxTwoOwners is Y: how long two owners of the VIP that can hear each other may last. The winner's advert
// arrives after w.maxLost+1 intervals, the Release may have to wait for a Claim, and each wakes up late.
// Twice, since the first advert may still speak of a fitness that has changed meanwhile.
func (w *world) maxTwoOwners() time.Duration {
	return 2*(time.Duration(w.maxLost+1)*w.interval+w.maxDelay) + 2*w.maxWork + 4*w.maxTick
}

// maxUnmet is Y where only members that relay could tell the two of each other: each asks at its own times.
func (w *world) maxUnmet() time.Duration {
	return 2*(meetInterval(w.interval)*102/100+2*w.maxDelay) + 2*w.maxWork + 4*w.maxTick
}

func (v *invariants) check(w *world) {
	v.wholeness(w)
	for k := range w.groups {
		v.twoOwners(w, k)
		v.answerable(w, k)
		v.servedBySomebody(w, k)
		for _, n := range w.nodes {
			v.epochsGrow(w, n.groups[k])
		}
		if v.single {
			v.oneOwner(w, k)
		}
	}
	if v.single {
		v.settledHandovers(w)
	}
}

// Never two actives that can hear each other for longer than Y.
func (v *invariants) twoOwners(w *world, k int) {
	for i, n := range w.nodes {
		a := n.groups[k]
		if !a.held {
			v.groups[k].both[i], v.groups[k].related[i] = [maxNodes]time.Time{}, [maxNodes]time.Time{}
			continue
		}
		for j, o := range w.nodes[:i] {
			b := o.groups[k]
			both := a.owns() && b.owns() && !a.stuck && !b.stuck
			v.lasts(w, a, b, &v.groups[k].both[i][j], both && w.connected(i, j), w.maxTwoOwners())
			v.lasts(w, a, b, &v.groups[k].related[i][j], both && w.relayed(n, o) && w.relayed(o, n), w.maxUnmet())
		}
	}
}

// lasts keeps since when two owners could hear each other, and fails when that is too long.
func (v *invariants) lasts(w *world, a, b *simGroup, since *time.Time, could bool, bound time.Duration) {
	switch {
	case !could:
		*since = time.Time{}
	case since.IsZero():
		*since = w.now
	case w.now.Sub(*since) > bound:
		w.fail("%s and %s both have the VIP and could hear each other since %v, for more than %v", b, a, since.Sub(epochStart), bound)
	}
}

// owns: it has the VIP and may answer for it.
func (g *simGroup) owns() bool { return g.held && !g.fenced && !g.paused && !g.ho.quiet }

// Epochs only grow.
func (v *invariants) epochsGrow(w *world, g *simGroup) {
	if g.machine == nil {
		return
	}
	if e := g.machine.epoch; e < g.seen.epoch {
		w.fail("%s: the epoch went from %d to %d", g, g.seen.epoch, e)
	} else {
		g.seen.epoch = e
	}
}

// In calm, exactly one owner, always the same, and the client sends to it.
func (v *invariants) oneOwner(w *world, k int) {
	owner := v.groups[k].owner
	for _, n := range w.nodes {
		if g := n.groups[k]; g.held != (g == owner) {
			w.fail("in calm, %s: VIP %v, but %s is the owner", g, g.held, owner)
		}
	}
	if len(w.stations) > 0 && w.stations[0].cache[k] != owner.simNode {
		w.fail("in calm, the client does not send to %s, which is the owner", owner)
	}
}

func (v *invariants) stepped(g *simGroup, ev Event) {
	if _, ok := ev.(Shutdown); ok {
		g.seen.shutdowns++
	}
}

// heard sees what a group is told, by an advert or as the answer to q.
func (v *invariants) heard(g *simGroup, h Heard, q *asked) {
	r, from := &g.seen, g.w.nodeOf(h.Node)
	active := h.Group.State == Active && h.Group.Priority > 0
	if active {
		r.ours, r.probed = true, false
	}
	switch last := r.latest[from.id]; {
	case last.boot == h.Boot && h.Seq < last.seq, q != nil && h.Boot != from.boot:
		return // overtaken, or of an earlier life
	case q != nil && last.boot != 0 && last.boot != h.Boot && !q.at.After(r.since[from.id]):
		return // a late advert of an earlier life has come since it was asked; only sessions tell which is which (E2)
	}
	if h.Boot != r.latest[from.id].boot {
		r.since[from.id] = g.clock()
	}
	r.latest[from.id], r.actives[from.id] = bootSeq{h.Boot, h.Seq}, time.Time{}
	if active && h.Group.Epoch > g.ho.promised[h.Node] {
		r.actives[from.id] = g.w.now
	}
}

// acted sees a group once its actions are done.
func (v *invariants) acted(g *simGroup) {
	if g.machine != nil && g.seen.changes != g.machine.transitions {
		g.w.fail("%s: %d transitions, %d told", g, g.machine.transitions, g.seen.changes)
	}
}

// acts sees each action BEFORE the shell does it.
func (v *invariants) acts(g *simGroup, a Action) {
	w, r := g.w, &g.seen
	switch a := a.(type) {
	case Probe:
		r.probed = true
	case Claim:
		v.claims(g, a)
	case Announce:
		if !g.held || g.fenced || g.machine.state != Active {
			w.fail("%s announces in state %v, VIP %v", g, g.machine.state, g.held)
		}
	case Changed:
		// No transition without a reason, and none untold.
		if a.Reason.Why == 0 || a.Reason.Why >= numWhys || a.From != g.state {
			w.fail("%s: told of %v → %v (%v) in state %v", g, a.From, a.To, a.Reason, g.state)
		}
		r.changes++
		if a.To == Init && g.held && r.shutdowns < 2 && !g.stuck {
			w.fail("%s ends and has the VIP still", g)
		}
		v.moves(g, a)
	}
}

func (v *invariants) claims(g *simGroup, a Claim) {
	w, r := g.w, &g.seen
	// Every claim has an epoch of its own, and nobody claims who is not fit.
	if a.Epoch <= r.claimed || a.Epoch != g.machine.epoch && g.machine.mustProbe {
		w.fail("%s claims with epoch %d after %d", g, a.Epoch, r.claimed)
	}
	if !g.machine.fit() {
		w.fail("%s claims and is not fit", g)
	}
	// Nobody claims for the first time who has not asked the wire, nor against a stranger's answer.
	if !r.ours && !r.probed || r.probed && g.foreign != "" {
		w.fail("%s claims, but was told that %q has the VIP (asked: %v)", g, g.foreign, r.probed)
	}
	r.claimed, r.probed, r.ours = a.Epoch, false, true
	// Nobody claims who has heard an active within four intervals that has not taken it back.
	for i, at := range r.actives {
		if at.IsZero() {
			continue
		}
		peer := w.nodes[i].name
		if heard := w.now.Sub(at); heard < missedAdverts*w.interval*98/100 && g.gone[peer].Before(at) { // its clock is fast by 1 %
			w.fail("%s claims, but heard %s active %v ago", g, peer, heard)
		}
	}
	v.verified(g)
}

// answerable keeps reach.
func (v *invariants) answerable(w *world, k int) {
	if !w.relay {
		return
	}
	for i, a := range w.nodes {
		reach := &v.groups[k].reach[i]
		if g := a.groups[k]; g.machine == nil || g.state != Active || a.paused || !g.machine.fit() {
			*reach = [maxNodes]time.Time{}
			continue
		}
		for j, n := range w.nodes {
			switch {
			case !n.up || n.paused || !w.relayed(a, n) || !w.relayed(n, a):
				reach[j] = time.Time{}
			case reach[j].IsZero():
				reach[j] = w.now
			}
		}
	}
}

// verified: what a verified takeover promises.
func (v *invariants) verified(g *simGroup) {
	w, n := g.w, g.simNode
	// A deaf node does not claim, where somebody could show it that it is.
	if since := n.segment.deafSince; len(w.stations) > 0 && n.deaf && w.now.Sub(since) > (missedAdverts+2)*w.interval+w.longestPatience() {
		w.fail("%s claims, but is deaf since %v", g, since.Sub(epochStart))
	}
	// An active that is known and can be reached through the members is not taken over, whatever its adverts do.
	for i, at := range g.seen.actives {
		since := v.groups[g.index].reach[i][n.id]
		if !at.IsZero() && !since.IsZero() && w.now.Sub(since) > w.longestPatience() && !g.hurried(w.nodes[i].name) {
			w.fail("%s claims, but %s is active and could have answered since %v", g, w.nodes[i].name, since.Sub(epochStart))
		}
	}
}

// hurried: a fast signal made g wait for less than the longest round trip of this world, since no answer had
// taken that long before. That is E7's bet, and the price when it is lost is one unneeded takeover.
func (g *simGroup) hurried(peer string) bool {
	i, ok := g.machine.findPeer(peer)
	return ok && g.w.now.Sub(g.gone[peer]) < g.w.longestPatience() && g.machine.peers[i].rtt < g.w.maxDelay+g.w.maxTick
}

// longestPatience is what the worst lateness of these worlds, or having no history, makes of the active-down
// interval.
func (w *world) longestPatience() time.Duration {
	p := patience(w.interval, max(lateIntervals*w.interval, ownJitter))
	if w.newFor >= 0 {
		p = max(p, newPatience)
	}
	return p + skew(maxNodes, w.interval)
}
