package election

// The ways beside the adverts: the segment itself, and members that relay. Unlike the adverts' they lose
// nothing while they are whole, so what a verified takeover promises can be checked to the letter.

// onWire: frames get from one node to the other on the VIPs' segment.
func (w *world) onWire(from, to *simNode) bool {
	return !w.wire[from.id][to.id] && !from.dumb && !to.deaf && !from.segment.mute && !to.segment.deaf
}

// relayed: a member carries datagrams from one node to the other.
func (w *world) relayed(from, to *simNode) bool {
	return w.relay && !w.away[from.id] && !w.away[to.id] && !from.dumb && !to.deaf
}

// ask is a Query.
func (g *simGroup) ask(q Query) {
	n := g.simNode
	b, err := SealQuestion(nil, &Question{Node: n.name, Boot: n.boot, Nonce: q.Nonce, Target: q.Node, Complaint: q.Complaint}, nil)
	if err != nil {
		n.w.fail("%s cannot ask: %v", g, err)
		return
	}
	for _, o := range n.w.nodes {
		if o == n {
			continue
		}
		if q.Node == "" || q.Node == o.name {
			n.sendBy(q.Via&PathDirect, o, b)
			n.sendBy(q.Via&PathRelay, o, b)
		}
		if g.in(o).answersARP() && n.w.onWire(o, n) { // to the MAC that answers for the VIP
			n.sendBy(q.Via&PathWire, o, b)
		}
	}
}

// sendBy sends one datagram by one path, or by none.
func (n *simNode) sendBy(path Path, to *simNode, b []byte) {
	open := n.w.onWire
	switch path {
	case 0:
		return
	case PathDirect:
		n.w.unicast(to.id, &packet{datagram: b, path: path, from: n.id})
		return
	case PathRelay:
		open = n.w.relayed
	}
	n.w.after(n.w.upTo(n.w.maxDelay), func() {
		if open(n, to) {
			to.receive(&packet{datagram: b, path: path, from: n.id})
		}
	})
}

// asked answers a question by the path by which it came, and takes in the complaint that comes with it.
func (n *simNode) asked(p *packet) {
	q, err := OpenQuestion(p.datagram, nil)
	if err != nil {
		n.w.fail("%s cannot read a question: %v", n.name, err)
		return
	}
	if q.Target != "" && q.Target != n.name {
		return
	}
	if b := n.advert(n.adverts(), q.Nonce); b != nil {
		n.sendBy(p.path, n.w.nodes[p.from], b)
	}
	for _, g := range n.groups {
		if ev, ok := q.Complained(g.cfg.Group); ok {
			g.step(ev)
		}
	}
}

// hangUp tells everybody's shell that the state channel to a boot of n broke, and that a new one was refused.
// That takes a round trip more than the last advert, which arrives before it unless it is late.
func (w *world) hangUp(n *simNode, boot uint64) {
	for _, o := range w.nodes {
		if o != n && o.up && w.connected(n.id, o.id) {
			o.later(w.maxDelay+w.upTo(w.maxDelay), func() {
				o.gone[n.name] = w.now
				o.step(Gone{Node: n.name, Boot: boot})
			})
		}
	}
}

// answersARP: whoever asks for the VIP is told this node's MAC. The keeper does it, so a dead or paused one,
// or one that is fenced, says nothing.
func (g *simGroup) answersARP() bool {
	return g.machine != nil && g.owns() && g.state == Active
}
