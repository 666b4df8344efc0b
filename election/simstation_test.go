package election

// station is a client on the VIP's segment, with an ARP cache. It asks for the VIP now and then, as clients
// do whose entry has become old, and believes whoever announces it.
type station struct {
	w     *world
	cache *simNode // where its frames for the VIP go; nil: nowhere
}

// stationAsks is how often a client asks anew, in advert intervals.
const stationAsks = 10

func (w *world) newStation() {
	w.station = &station{w: w}
	w.station.ask()
}

// ask is an ARP request for the VIP, and the next one.
func (s *station) ask() {
	for _, n := range s.w.nodes {
		s.w.after(s.w.upTo(s.w.maxDelay), func() {
			if n.answersARP() && !n.deaf {
				s.learn(n)
			}
		})
	}
	s.w.after(stationAsks*s.w.interval, s.ask)
}

// learn is what an ARP answer or an announcement does.
func (s *station) learn(n *simNode) {
	if n.dumb {
		return
	}
	s.w.after(s.w.upTo(s.w.maxDelay), func() {
		if s.cache != n {
			s.w.log("the client sends to %s", n.name())
		}
		s.cache = n
	})
}

// announced: everybody on the segment hears it.
func (w *world) announced(n *simNode) {
	if w.station != nil && n.held && !n.fenced {
		w.station.learn(n)
	}
}

// solicit asks the client for a frame (E5).
func (n *simNode) solicit() {
	if n.w.station == nil || n.dumb {
		return
	}
	n.later(n.w.upTo(n.w.maxDelay), func() {
		if n.deaf {
			return
		}
		n.report(Received{At: n.clock()})
	})
}

// look is the shell's own look at the segment, each interval: whether somebody is there (E5, E12).
func (n *simNode) look() {
	if n.w.station == nil {
		return
	}
	n.step(Stations{Third: true})
	var again func()
	again = func() {
		isolated := n.deaf && n.w.now.Sub(n.deafSince) > isolatedAfter*n.w.interval
		if isolated != n.isolated && !n.paused {
			n.isolated = isolated
			n.step(Isolated{Yes: isolated})
		}
		n.later(n.w.interval, again)
	}
	n.later(n.w.upTo(n.w.interval), again)
}

// isolatedAfter is how long a shell asks in vain before it calls its node isolated, in advert intervals.
const isolatedAfter = 20

// stationServed: the client reaches the one owner. In calm it must, from one question of its own on.
func (v *invariants) stationServed(w *world) {
	if w.station != nil && w.station.cache != v.owner {
		name := "nobody"
		if w.station.cache != nil {
			name = w.station.cache.name()
		}
		w.fail("in calm, the client sends to %s, but %s is the owner", name, v.owner.name())
	}
}
