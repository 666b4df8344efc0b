package election

import "time"

// invariants are what must hold whatever happens, checked after every event from what can be seen from
// outside: who has the VIP, who can hear whom, which datagrams arrived.
type invariants struct {
	both   [maxNodes][maxNodes]time.Time // since when two owners could hear each other
	reach  [maxNodes][maxNodes]time.Time // since when the first, active, could have answered the second
	nodes  map[*simNode]*record
	single bool // calm: there is one owner and it stays
	owner  *simNode
}

// record is what the checker remembers of one life of a node.
type record struct {
	epoch   uint64 // highest in its Status
	claimed uint64 // highest it claimed with
	changes uint64

	shutdowns int                  // a second one waits for nothing
	actives   map[string]time.Time // peers that said "active" last, and when
	latest    map[string]bootSeq   // what each of them said last
}

func (v *invariants) started(n *simNode) {
	if v.nodes == nil {
		v.nodes = make(map[*simNode]*record)
	}
	v.nodes[n] = &record{actives: make(map[string]time.Time), latest: make(map[string]bootSeq)}
}

// maxTwoOwners is Y: how long two owners of the VIP that can hear each other may last. The winner's advert
// arrives after w.maxLost+1 intervals, the Release may have to wait for a Claim, and each wakes up late.
// Twice, since the first advert may still speak of a fitness that has changed meanwhile.
func (w *world) maxTwoOwners() time.Duration {
	return 2*(time.Duration(w.maxLost+1)*w.interval+w.maxDelay) + 2*w.maxWork + 4*w.maxTick
}

func (v *invariants) check(w *world) {
	v.twoOwners(w)
	for _, n := range w.nodes {
		v.epochsGrow(w, n)
	}
	v.answerable(w)
	if v.single {
		v.oneOwner(w)
		v.stationServed(w)
	}
}

// Never two actives that can hear each other for longer than Y.
func (v *invariants) twoOwners(w *world) {
	for i, a := range w.nodes {
		for j, b := range w.nodes[:i] {
			since := &v.both[i][j]
			if !a.owns() || !b.owns() || a.stuck || b.stuck || !w.connected(i, j) {
				*since = time.Time{}
				continue
			}
			if since.IsZero() {
				*since = w.now
			}
			if w.now.Sub(*since) > w.maxTwoOwners() {
				w.fail("%s and %s both have the VIP and could hear each other since %v, for more than %v",
					b.name(), a.name(), since.Sub(epochStart), w.maxTwoOwners())
			}
		}
	}
}

// owns: it has the VIP and may answer for it.
func (n *simNode) owns() bool { return n.held && !n.fenced && !n.paused }

// Epochs only grow.
func (v *invariants) epochsGrow(w *world, n *simNode) {
	if n.machine == nil {
		return
	}
	r := v.nodes[n]
	if e := n.machine.epoch; e < r.epoch {
		w.fail("%s: the epoch went from %d to %d", n.name(), r.epoch, e)
	} else {
		r.epoch = e
	}
}

// In calm, exactly one owner, always the same.
func (v *invariants) oneOwner(w *world) {
	for _, n := range w.nodes {
		if n.held != (n == v.owner) {
			w.fail("in calm, %s: VIP %v, but %s is the owner", n.name(), n.held, v.owner.name())
		}
	}
}

func (v *invariants) stepped(n *simNode, ev Event) {
	if _, ok := ev.(Shutdown); ok {
		v.nodes[n].shutdowns++
	}
}

func (v *invariants) heard(n *simNode, h Heard, answer bool) {
	r := v.nodes[n]
	if last := r.latest[h.Node]; answer && h.Boot != n.w.bootOf(h.Node) || last.boot == h.Boot && h.Seq < last.seq {
		return // of an earlier life, or overtaken
	}
	r.latest[h.Node] = bootSeq{h.Boot, h.Seq}
	if h.Group.State == Active && h.Group.Priority > 0 {
		r.actives[h.Node] = n.w.now
	} else {
		delete(r.actives, h.Node)
	}
}

// acts sees each action BEFORE the shell does it.
func (v *invariants) acts(n *simNode, a Action) {
	w, r := n.w, v.nodes[n]
	switch a := a.(type) {
	case Claim:
		// Every claim has an epoch of its own, and nobody claims who is not fit.
		if a.Epoch <= r.claimed || a.Epoch != n.machine.epoch && n.machine.mustProbe {
			w.fail("%s claims with epoch %d after %d", n.name(), a.Epoch, r.claimed)
		}
		r.claimed = a.Epoch
		if !n.machine.fit() {
			w.fail("%s claims and is not fit", n.name())
		}
		// Nobody claims who has heard an active within four intervals that has not taken it back.
		for peer, at := range r.actives {
			if heard := w.now.Sub(at); heard < missedAdverts*w.interval*98/100 && n.gone[peer].Before(at) { // its clock is fast by 1 %
				w.fail("%s claims, but heard %s active %v ago", n.name(), peer, heard)
			}
		}
		v.claims(n)
	case Announce:
		if !n.held || n.fenced || n.machine.state != Active {
			w.fail("%s announces in state %v, VIP %v", n.name(), n.machine.state, n.held)
		}
	case Changed:
		// No transition without a reason, and none untold.
		if a.Reason.Why == 0 || a.Reason.Why >= numWhys || a.From != n.state {
			w.fail("%s: told of %v → %v (%v) in state %v", n.name(), a.From, a.To, a.Reason, n.state)
		}
		if r.changes++; a.To != Init && r.changes != n.machine.transitions {
			w.fail("%s: %d transitions, %d told", n.name(), n.machine.transitions, r.changes)
		}
		if a.To == Init && n.held && r.shutdowns < 2 && !n.stuck {
			w.fail("%s ends and has the VIP still", n.name())
		}
	}
}

// answerable keeps v.reach.
func (v *invariants) answerable(w *world) {
	if !w.relay {
		return
	}
	for i, a := range w.nodes {
		for j, n := range w.nodes {
			since := &v.reach[i][j]
			switch {
			case a.machine == nil || n.machine == nil || a.state != Active || a.paused || n.paused || !a.machine.fit() ||
				!w.relayed(a, n) || !w.relayed(n, a):
				*since = time.Time{}
			case since.IsZero():
				*since = w.now
			}
		}
	}
}

// claims: what a verified takeover promises.
func (v *invariants) claims(n *simNode) {
	w := n.w
	// A deaf node does not claim, where somebody could show it that it is.
	if w.station != nil && n.deaf && w.now.Sub(n.deafSince) > (missedAdverts+2)*w.interval+longestPatience(w.interval) {
		w.fail("%s claims, but is deaf since %v", n.name(), n.deafSince.Sub(epochStart))
	}
	// An active that is known and can be reached through the members is not taken over, whatever its adverts do.
	for peer := range v.nodes[n].actives {
		for i, a := range w.nodes {
			if since := v.reach[i][n.id]; a.name() == peer && !since.IsZero() && w.now.Sub(since) > longestPatience(w.interval) && !n.hurried(peer) {
				w.fail("%s claims, but %s is active and could have answered since %v", n.name(), peer, since.Sub(epochStart))
			}
		}
	}
}

// hurried: a fast signal made n wait for less than the longest round trip of this world, since no answer had
// taken that long before. That is E7's bet, and the price when it is lost is one unneeded takeover.
func (n *simNode) hurried(peer string) bool {
	i, ok := n.machine.findPeer(peer)
	return ok && n.w.now.Sub(n.gone[peer]) < longestPatience(n.w.interval) && n.machine.peers[i].rtt < n.w.maxDelay+n.w.maxTick
}

// longestPatience is what the worst lateness of these worlds makes of the active-down interval.
func longestPatience(interval time.Duration) time.Duration {
	return patience(interval, max(lateIntervals*interval, ownJitter)) + skew(maxNodes, interval)
}
