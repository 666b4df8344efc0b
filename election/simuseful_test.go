package election

import "time"

// What E6 promises, as invariants.

// usefulBound is X: an active that can exchange frames neither with any station nor with a certain node has
// yielded, once that has been so for as long, if that node can exchange frames with every station. From the cut to the first question that goes
// unanswered, and to the complaint, is u (UsefulAfter); by then the active's own hearing is as old and
// forgotten; it believes what it is told for a quarter of u. The rest is for what datagrams lose and the shells
// are late, and for a hold-down. Then comes the yield.
func (w *world) usefulBound() time.Duration {
	u := UsefulAfter(w.interval)
	return u + u/2 + u/4 + w.nodes[0].groups[0].cfg.HoldDown + time.Duration(w.maxLost+2)*w.interval + w.maxWork + 10*w.maxTick
}

// wholeness keeps whole.
func (v *invariants) wholeness(w *world) {
	if len(w.stations) == 0 {
		return
	}
	for i, n := range w.nodes {
		switch {
		case !n.up || n.paused || !w.reachesAll(n):
			v.whole[i] = time.Time{}
		case v.whole[i].IsZero():
			v.whole[i] = w.now
		}
	}
}

func (w *world) reachesAll(n *simNode) bool {
	for _, s := range w.stations {
		if !w.exchanges(n, &s.place) {
			return false
		}
	}
	return true
}

func (w *world) reachesNobody(n *simNode) bool {
	for _, s := range w.stations {
		if w.exchanges(n, &s.place) {
			return false
		}
	}
	return true
}

// servedBySomebody: the VIP does not stay for longer than X where no client can use it, if there is better.
func (v *invariants) servedBySomebody(w *world, k int) {
	gi := &v.groups[k]
	a := w.uselessOwner(k)
	if a == nil || a != gi.useless {
		gi.useless, gi.unserved = a, [maxNodes]time.Time{}
	}
	if a == nil {
		return
	}
	for i, n := range w.nodes {
		since := &gi.unserved[i]
		switch {
		case v.whole[i].IsZero() || !n.groups[k].couldServe() || w.onWire(a, n) && w.onWire(n, a),
			!w.connected(a.id, i) && (!w.relayed(a, n) || !w.relayed(n, a)):
			*since = time.Time{}
		case since.IsZero():
			*since = w.now
		case w.now.Sub(*since) > w.usefulBound():
			w.fail("%s has the VIP and reaches nobody, but %s could serve since %v, for more than %v",
				a.groups[k], n.groups[k], since.Sub(epochStart), w.usefulBound())
		}
	}
}

// uselessOwner returns the only owner if it is in order, but can exchange frames with nobody; else nil.
func (w *world) uselessOwner(k int) *simNode {
	if len(w.stations) == 0 {
		return nil
	}
	var owner *simNode
	for _, n := range w.nodes {
		g := n.groups[k]
		switch {
		case n.failing > 0 || n.hanging > 0 || g.stuck || g.held && owner != nil:
			return nil
		case g.held:
			owner = n
		}
	}
	if owner == nil || !w.reachesNobody(owner) {
		return nil
	}
	if g := owner.groups[k]; g.state != Active || g.fenced || owner.paused || !g.machine.fit() {
		return nil
	}
	return owner
}

// couldServe: it would take the VIP over if it were asked to.
func (g *simGroup) couldServe() bool {
	return g.up && !g.paused && g.state == Backup && g.machine.fit() && !g.segment.isolated
}

// moves: nobody gives the VIP up as useless who exchanges frames with everybody.
func (v *invariants) moves(g *simGroup, c Changed) {
	since := v.whole[g.id]
	if c.Reason.Why == WhyNotUseful && c.From == Active && !since.IsZero() && g.w.now.Sub(since) > 2*UsefulAfter(g.w.interval) {
		g.w.fail("%s yields as useless, but exchanges frames with every station since %v", g, since.Sub(epochStart))
	}
}
