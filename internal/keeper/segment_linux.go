package keeper

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/vip"
)

const (
	// lookAroundInterval is how often the stations on the segment are counted.
	lookAroundInterval = 250 * time.Millisecond
	// solicitHosts is how many hosts are asked for a sign of life at once (E5).
	solicitHosts = 4
	// maxGateways is how many gateways are asked beside them.
	maxGateways = 4
	// reconnectHosts is how many of those that the kernel asked for in vain are asked for again
	// when this node is back on the segment.
	reconnectHosts = 64
	// quietAfter is how long nobody may be heard before hosts are asked for a sign of life
	// at each look; isolatedAfter and isolatedAsks are how long and how often in vain, before
	// this node takes itself for cut off (E12). An active that hears nobody serves nobody:
	// its clients wait this long.
	quietAfter    = 500 * time.Millisecond
	isolatedAfter = 1200 * time.Millisecond
	isolatedAsks  = 2
	// resolveInterval is how often a peer's hardware address is asked for again.
	resolveInterval = 30 * time.Second
)

// segment is what the loop knows of the hosts on a group's segment.
type segment struct {
	looked    time.Time                       // when the stations were counted last
	third     bool                            // somebody but balancers was heard in the last minute
	silent    string                          // the node whose frames prove nothing in this silence
	solicited time.Time                       // since when a sign of life is awaited; zero: none is
	ever      bool                            // third was true once
	unheard   int                             // signs of life asked for in vain
	isolated  time.Time                       // since when this node takes itself for cut off; zero: it does not
	asked     map[netip.Addr]time.Time        // when a peer's hardware address was asked for last
	macs      map[netip.Addr]net.HardwareAddr // of peers, by their own address
	gateways  []netip.Addr
	spoke     []vip.Station    // reused by listen
	hearing   election.Hearing // as the machine knows it
	told      bool             // it does
}

// peerMAC is an event: what hardware address a peer has.
type peerMAC struct {
	g    *group
	addr netip.Addr
	mac  net.HardwareAddr
}

// lookAround tells the machine what the segment has to say: that this node receives (E5),
// whom it hears (E6), and whether there is anybody but balancers.
func (l *loop) lookAround(g *group, now time.Time) {
	s := &g.segment
	l.listen(g, now)
	if !s.solicited.IsZero() && g.claimer.HeardOther(l.silentMAC(g), s.solicited) {
		s.solicited = time.Time{}
		l.step(g, election.Received{At: now})
	}
	if !s.isolated.IsZero() && g.claimer.HeardOther(nil, s.isolated) {
		s.isolated, s.unheard = time.Time{}, 0
		l.step(g, election.Isolated{Yes: false})
		l.reconnected(g)
	}
	if now.Sub(s.looked) < lookAroundInterval {
		return
	}
	s.looked = now
	l.lookForIsolation(g, now)
	peers := g.machine.Status().Peers
	if third := g.claimer.Stations().Count > len(peers); third != s.third {
		s.third, s.ever = third, s.ever || third
		l.step(g, election.Stations{Third: third})
	}
	for _, p := range peers {
		l.resolve(g, p.Addr, now)
	}
}

// lookForIsolation finds out whether this node hears nobody at all on a segment on which it
// once heard more than balancers (E12). It asks before it believes so.
func (l *loop) lookForIsolation(g *group, now time.Time) {
	s := &g.segment
	silence := now.Sub(g.claimer.Stations().Newest) // very long when there is none
	switch {
	case !s.ever || !s.isolated.IsZero():
	case silence < quietAfter:
		if s.unheard >= isolatedAsks { // a port further off was down: this node asked, and nobody heard
			l.reconnected(g)
		}
		s.unheard = 0
	case silence > isolatedAfter && s.unheard >= isolatedAsks:
		s.isolated = now
		g.log.Warn("nobody is heard on the VIP's segment any more", "for", silence)
		l.step(g, election.Isolated{Yes: true})
	default:
		s.unheard++
		l.askForSigns(g, known, solicitHosts)
	}
}

// reconnected follows a time in which this node heard nobody. The backends that are down since are
// down because of that, so all are checked again, at once. And the kernel, which waits up to a
// second before it asks again for whom it has asked in vain, learns from answers that it did not
// ask for.
func (l *loop) reconnected(g *group) {
	g.log.Info("back on the segment; all backends are checked again")
	l.proxy.send(&ipc.Recheck{})
	l.askForSigns(g, unanswered, reconnectHosts)
}

// resolve asks for a peer's hardware address, beside the loop, unless that was done of late.
func (l *loop) resolve(g *group, addr netip.Addr, now time.Time) {
	s := &g.segment
	if now.Sub(s.asked[addr]) < resolveInterval || len(s.asked) > maxPeers {
		return
	}
	s.asked[addr] = now
	l.beside(func(ctx context.Context) {
		if mac, err := g.claimer.Resolve(ctx, addr); err == nil && mac != nil {
			l.emit(peerMAC{g, addr, mac})
		}
	})
}

// learnMAC tells the claimer who is a balancer: their claims are for the election to judge.
func (l *loop) learnMAC(ev peerMAC) {
	macs := ev.g.segment.macs
	macs[ev.addr] = ev.mac
	all := make([]net.HardwareAddr, 0, len(macs))
	for _, mac := range macs {
		all = append(all, mac)
	}
	ev.g.claimer.SetPeers(all)
}

// silentMAC is the hardware address of the peer that is asked for, nil when it is not known.
// Its own frames prove nothing.
func (l *loop) silentMAC(g *group) net.HardwareAddr {
	for _, p := range g.machine.Status().Peers {
		if p.Node == g.segment.silent {
			return g.segment.macs[p.Addr]
		}
	}
	return nil
}

// newSilence is called with what a machine wants done, BEFORE any of it: with the first round of
// questions a new silence begins, and what was heard in the last one proves nothing.
func (s *segment) newSilence(actions []election.Action) {
	for _, a := range actions {
		if q, ok := a.(election.Query); ok && q.Round == 1 {
			s.silent, s.solicited = q.Node, time.Time{}
		}
	}
}

// solicit asks hosts on the segment for a sign of life, beside the loop: the gateway and
// whoever this node has spoken with of late answer ARP and NDP whatever else they do.
func (l *loop) solicit(g *group, a election.Solicit) {
	s := &g.segment
	if a.Silent != "" && a.Silent != s.silent {
		s.silent, s.solicited = a.Silent, time.Time{}
	}
	if s.solicited.IsZero() { // of one silence, the first counts
		s.solicited = time.Now()
	}
	l.askForSigns(g, known, solicitHosts)
}

func (l *loop) askForSigns(g *group, which hostKind, most int) {
	l.beside(func(ctx context.Context) {
		hosts, err := vip.SegmentHosts(g.ifi)
		if err != nil {
			g.log.Debug("asking for signs of life", "err", err)
			return
		}
		l.emit(gatewaysFound{g, hosts.Gateways})
		if err := g.claimer.Solicit(ctx, toAsk(hosts, which, g.claimer.Status().Addrs, most)...); err != nil {
			g.log.Debug("asking for signs of life", "err", err)
		}
	})
}

// hostKind says which of the hosts that the kernel knows are meant.
type hostKind bool

const (
	known      hostKind = false // those that have answered
	unanswered hostKind = true  // those that the kernel has asked for in vain
)

// toAsk returns the gateways and up to most other hosts of that kind, none twice and no VIP. The
// families take turns: one may hold hosts that have long gone.
func toAsk(h vip.Hosts, which hostKind, vips []netip.Addr, most int) []netip.Addr {
	others := h.Answered
	if which == unanswered {
		others = h.Unanswered
	}
	var asked []netip.Addr
	ask := func(addr netip.Addr, bound int) {
		if len(asked) < bound && !slices.Contains(vips, addr) && !slices.Contains(asked, addr) {
			asked = append(asked, addr)
		}
	}
	for _, addr := range h.Gateways {
		ask(addr, maxGateways)
	}
	bound := len(asked) + most
	four, six := byFamily(others)
	for i := range max(len(four), len(six)) {
		if i < len(four) {
			ask(four[i], bound)
		}
		if i < len(six) {
			ask(six[i], bound)
		}
	}
	return asked
}

func byFamily(addrs []netip.Addr) (four, six []netip.Addr) {
	for _, a := range addrs {
		if a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	return four, six
}
