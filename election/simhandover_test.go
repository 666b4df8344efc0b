package election

import "time"

// The shell's part of a planned handover: state channels, forward tables, proxies that drain.

// simHandover is what one node has of it.
type simHandover struct {
	links    map[string]uint64    // as told to the machine
	arrives  map[string]time.Time // the last message to a node: a channel keeps the order
	quiet    bool                 // Drain: the address is there, and nobody here speaks for it
	table    string               // forwards to this node; "" for none
	tables   int                  // counts Prepare and Forget: only the last one's outcome is kept
	draining bool                 // the proxy does
	drains   int                  // counts the proxy's drains
	offers   map[string]uint64    // epochs of offers, by node
	promised map[string]uint64    // of those that said Take: that epoch speaks no more
	unable   bool                 // cannot be lossless
	asks     map[uint64]bool      // Handovers not answered yet
}

// beginHandover is a part of start.
func (g *simGroup) beginHandover() {
	g.ho = simHandover{
		links: make(map[string]uint64), arrives: make(map[string]time.Time), promised: make(map[string]uint64), offers: make(map[string]uint64),
		asks: make(map[uint64]bool),
	}
	g.ho.unable = g.w.chance(g.w.unable)
	g.step(Lossless{OK: !g.ho.unable, Reason: "simulated"})
	var look func()
	look = func() {
		g.lookForChannels()
		g.later(g.w.interval, look)
	}
	g.later(g.w.upTo(g.w.interval), look)
}

// lookForChannels tells the machine which channels stand.
func (g *simGroup) lookForChannels() {
	for _, o := range g.w.nodes {
		if o == g.simNode || g.paused {
			continue
		}
		told, up := g.ho.links[o.name], o.up && g.w.connected(g.id, o.id)
		if up && told == o.boot || !up && told == 0 {
			continue
		}
		if told != 0 {
			delete(g.ho.links, o.name)
			g.step(Linked{Node: o.name, Boot: told})
		}
		if up {
			g.ho.links[o.name] = o.boot
			g.step(Linked{Node: o.name, Boot: o.boot, Up: true})
		}
		if g.machine == nil {
			return
		}
	}
}

// tell sends a message over the channel; one that breaks swallows it.
func (g *simGroup) tell(a Tell) {
	for _, o := range g.w.nodes {
		if o.name != a.Node || !g.w.connected(g.id, o.id) || g.w.chance(g.w.swallow) {
			continue
		}
		if g.w.losesTell != nil && g.w.losesTell(g, a.Message) {
			g.w.log("%s: %v is lost", g, a.Message.Kind)
			continue
		}
		at := later(g.w.now.Add(g.w.upTo(g.w.maxDelay)), g.ho.arrives[a.Node])
		g.ho.arrives[a.Node] = at
		said := &Said{Node: g.name, Boot: g.boot, Message: a.Message}
		g.w.after(at.Sub(g.w.now), func() {
			if o.up && o.boot == a.Boot && g.w.connected(g.id, o.id) {
				o.receive(&packet{said: said, group: g.index, from: g.id})
			}
		})
	}
}

// actHandover does what concerns a handover alone.
func (g *simGroup) actHandover(a Action) {
	switch a := a.(type) {
	case Tell:
		g.tell(a)
	case Prepare:
		g.prepare(a)
	case Forget:
		g.ho.tables++
		g.ho.table = ""
	case DrainProxy:
		g.ho.draining = true
		g.ho.drains++
		drain := g.ho.drains
		if g.w.chance(0.3) {
			return // somebody stays until the deadline
		}
		g.later(g.w.upTo(10*g.w.interval), func() {
			if g.ho.drains == drain && g.ho.draining {
				g.report(Connections{Left: 0})
			}
		})
	case ResumeProxy:
		g.ho.draining = false
	case HandedOver:
		if !g.ho.asks[a.ID] {
			g.w.fail("%s answers Handover %d, which nobody waits for", g, a.ID)
		}
		delete(g.ho.asks, a.ID)
		if (a.Err == "") != (a.To != "") {
			g.w.fail("%s answers neither success nor failure: %+v", g, a)
		}
	}
}

func (g *simGroup) prepare(a Prepare) {
	g.ho.tables++
	tables, takes := g.ho.tables, g.w.upTo(3*g.w.maxWork)
	if g.w.chance(g.hanging) {
		takes = g.w.upTo(g.maxHang())
	}
	var failed error
	if g.w.chance(g.failing) {
		failed = errSim
	}
	g.later(takes, func() {
		if g.ho.tables == tables && failed == nil {
			g.ho.table = a.Node
		}
		g.report(Prepared{Token: a.Token, Err: failed})
	})
}

// handOver asks for a handover.
func (g *simGroup) handOver(to string) {
	if g.machine == nil || g.paused {
		return
	}
	id := g.w.rng.Uint64() | 1
	g.ho.asks[id] = true
	g.step(Handover{ID: id, To: to})
}

// served: frames for the VIP that go to n reach a connection of whoever was active before.
func (w *world) connectionServed(sentTo *simNode, of *simGroup) bool {
	alive := of.machine != nil && of.held && !of.paused
	return alive && (sentTo == of.simNode || sentTo != nil && sentTo.up && !sentTo.paused && of.in(sentTo).ho.table == of.name)
}

// leftOver returns where something of a handover is not over yet, nil when all is.
func (w *world) leftOver() *simGroup {
	for _, n := range w.nodes {
		for _, g := range n.groups {
			if g.machine != nil && !g.ended && (g.ho.table != "" || g.ho.draining || len(g.ho.asks) > 0) {
				return g
			}
		}
	}
	return nil
}

// settledHandovers: in calm, nothing of a handover is left over.
func (v *invariants) settledHandovers(w *world) {
	if g := w.leftOver(); g != nil {
		w.fail("in calm, %s: table towards %q, its proxy drains: %v, %d questions not answered",
			g, g.ho.table, g.ho.draining, len(g.ho.asks))
	}
}

// handoverTakes is how long a handover may last until nothing is left of it.
func (w *world) handoverTakes() time.Duration {
	cfg := w.nodes[0].groups[0].cfg
	return 4*cfg.AnswerTimeout + w.nodes[0].maxHang() + cfg.DrainDeadline + 3*promise(w.interval) + 20*w.maxTick
}

func (g *simGroup) takes(a Said) {
	if a.Message.Kind == MsgOffer {
		g.ho.offers[a.Node] = a.Message.Epoch
	}
	if a.Message.Kind == MsgTake {
		g.ho.promised[a.Node] = g.ho.offers[a.Node]
		g.seen.actives[g.w.nodeOf(a.Node).id] = time.Time{}
	}
}
