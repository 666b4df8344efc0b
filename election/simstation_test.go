package election

import "time"

// station is a host on the VIPs' segment that is no balancer. The first one of a world is a client with an ARP
// cache: it asks for each VIP now and then, as clients do whose entry has become old, and believes whoever
// announces it. A gateway is a station like others, but worth more.
type station struct {
	w       *world
	id      int
	gateway bool
	place   place
	cache   []*simNode // by group: where the client's frames for the VIP go; nil: nowhere
}

// place is how a station hangs on the segment: with which nodes it cannot exchange frames.
type place struct {
	from, to [maxNodes]bool // its frames do not get there; theirs do not get here
}

// segment is a node's own interface on the VIPs' segment, and what its shell knows of the hosts there. The
// adverts may go another way.
type segment struct {
	deaf, mute bool
	deafSince  time.Time              // zero: it is not, nor is the node
	heard      [maxStations]time.Time // when each station last sent a frame to this very node
	awaits     bool                   // a sign of life has been asked for
	told       Hearing
	isolated   bool
}

const (
	maxStations = 2

	// stationAsks is how often a client asks anew, in advert intervals.
	stationAsks = 10
)

// reaches: what the node sends gets to that place. heardAt: what is sent there gets to the node.
func (w *world) reaches(n *simNode, p *place) bool { return !n.dumb && !n.segment.mute && !p.to[n.id] }

func (w *world) heardAt(n *simNode, p *place) bool {
	return !n.deaf && !n.segment.deaf && !p.from[n.id]
}

// exchanges: frames get from one to the other and back.
func (w *world) exchanges(n *simNode, p *place) bool { return w.reaches(n, p) && w.heardAt(n, p) }

func (w *world) newStation(gateway bool) {
	s := &station{w: w, id: len(w.stations), gateway: gateway, cache: make([]*simNode, maxGroups)}
	w.stations = append(w.stations, s)
	if s.id == 0 {
		s.ask()
	}
}

// ask is an ARP request for each VIP, and the next one.
func (s *station) ask() {
	for _, n := range s.w.nodes {
		s.w.after(s.w.upTo(s.w.maxDelay), func() {
			if !s.w.heardAt(n, &s.place) {
				return
			}
			n.signOfLife()
			for _, g := range n.groups {
				if g.answersARP() {
					s.learn(g)
				}
			}
		})
	}
	if q := s.w.squatter; q != nil && q.on {
		s.w.after(s.w.upTo(s.w.maxDelay), func() { s.deceived(q) })
	}
	s.w.after(stationAsks*s.w.interval, s.ask)
}

// learn is what an ARP answer or an announcement does.
func (s *station) learn(g *simGroup) {
	if !s.w.reaches(g.simNode, &s.place) {
		return
	}
	s.w.after(s.w.upTo(s.w.maxDelay), func() {
		if s.cache[g.index] != g.simNode {
			s.w.log("the client sends to %s", g)
		}
		s.cache[g.index] = g.simNode
	})
}

// announced: everybody on the segment hears it.
func (w *world) announced(g *simGroup) {
	if len(w.stations) > 0 && g.held && !g.fenced {
		w.stations[0].learn(g)
	}
}

// solicit asks the stations for a frame (E5, E6).
func (n *simNode) solicit() {
	n.segment.awaits = len(n.w.stations) > 0
	for _, s := range n.w.stations {
		if !n.w.reaches(n, &s.place) {
			continue
		}
		n.later(n.w.upTo(n.w.maxDelay), func() {
			if n.w.heardAt(n, &s.place) {
				n.segment.heard[s.id] = n.w.now
				n.signOfLife()
			}
		})
	}
}

// signOfLife: a frame has come. A broadcast will do for a proof of reception, though not for Hearing.
func (n *simNode) signOfLife() {
	if !n.up || !n.segment.awaits {
		return
	}
	n.segment.awaits = false
	at := n.clock()
	for _, g := range n.groups {
		g.report(Received{At: at})
	}
}

// look is the shell's own look at the segment, each interval: whom it hears (E6), whether anybody (E5, E12).
func (n *simNode) look() {
	n.segment.awaits, n.segment.told, n.segment.isolated = false, Hearing{}, false
	n.segment.heard = [maxStations]time.Time{}
	if len(n.w.stations) == 0 {
		return
	}
	n.step(Stations{Third: true})
	n.step(Hearing{})
	var again func()
	again = func() {
		n.later(n.w.interval, again)
		if n.paused {
			return
		}
		v := &n.segment
		if h := n.hearing(); h != v.told {
			v.told = h
			n.step(h)
		}
		isolated := !v.deafSince.IsZero() && n.w.now.Sub(v.deafSince) > isolatedAfter*n.w.interval
		if isolated != v.isolated && n.up {
			v.isolated = isolated
			n.step(Isolated{Yes: isolated})
		}
	}
	n.later(n.w.upTo(n.w.interval), again)
}

// hearing counts the stations that have sent this node a frame of late.
func (n *simNode) hearing() Hearing {
	var h Hearing
	for _, s := range n.w.stations {
		at := n.segment.heard[s.id]
		switch {
		case at.IsZero() || n.w.now.Sub(at) > UsefulAfter(n.w.interval):
		case s.gateway:
			h.Gateway = true
		default:
			h.Stations++
		}
	}
	return h
}

// isolatedAfter is how long a shell asks in vain before it calls its node isolated, in advert intervals.
const isolatedAfter = 20

// setDeaf ends, or begins, the reception of a node: all of it, or on the segment.
func (n *simNode) setDeaf(all, segment bool) {
	n.deaf, n.segment.deaf = all, segment
	n.w.log("%s is deaf: %v, on the segment %v", n.name, all, segment)
	switch {
	case !all && !segment:
		n.segment.deafSince = time.Time{}
	case n.segment.deafSince.IsZero():
		n.segment.deafSince = n.w.now
	}
}

// squatter is a host that takes itself for the owner of one group's VIP.
type squatter struct {
	w     *world
	place place
	index int // of the group
	on    bool
}

const squatterMAC = "02:00:00:00:00:ff"

// answers: whoever asks for this group's VIP gets an answer from it.
func (q *squatter) answers(g *simGroup) bool { return q.on && q.index == g.index }

// sit begins, or ends, its claim. It announces it once, and answers like an owner.
func (q *squatter) sit(on bool) {
	q.w.log("a stranger has the VIP: %v", on)
	q.on = on
	if !on {
		return
	}
	for _, n := range q.w.nodes {
		if q.w.heardAt(n, &q.place) && n.up {
			g := n.groups[q.index]
			g.report(Conflict{MAC: squatterMAC})
		}
	}
	if len(q.w.stations) > 0 {
		q.w.after(q.w.upTo(q.w.maxDelay), func() { q.w.stations[0].deceived(q) })
	}
}

// deceived: the client believes the squatter.
func (s *station) deceived(q *squatter) {
	if q.on {
		s.cache[q.index] = nil
	}
}
