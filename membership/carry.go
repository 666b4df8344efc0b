package membership

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Bounds of what this node carries for others, all of them together and each. In one window a pair at its fastest
// advert interval (5 ms, so a query round every 2.5 ms) asks for 40.
const (
	carryTime      = 500 * time.Millisecond // so long an answer is waited for
	maxCarrying    = 64                     // datagrams that wait for their answer, each on a socket
	maxCarryingOne = 32
	carryWindow    = 100 * time.Millisecond
	maxAsked       = 160 // requests looked at per window
	maxAskedOne    = 50
)

// carrier bounds what this node carries for others.
type carrier struct {
	running sync.WaitGroup

	mu       sync.Mutex      // protects the following
	serving  context.Context // while Run runs
	carrying map[string]int  // datagrams under way, by the wire name of who asked
	total    int             // of them
	window   time.Time       // when the present window began
	asked    map[string]int  // requests in it, by wire name
	askedAll int
}

func newCarrier() *carrier {
	return &carrier{carrying: map[string]int{}, asked: map[string]int{}}
}

// serve lets datagrams be carried until ctx ends, and returns when none is under way any more.
func (r *carrier) serve(ctx context.Context) {
	r.mu.Lock()
	r.serving = ctx
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	r.serving = nil
	r.mu.Unlock()
	r.running.Wait()
}

// admit counts a request of the member wire and reports whether it may be looked at.
func (r *carrier) admit(wire string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.window) >= carryWindow {
		r.window, r.askedAll = now, 0
		clear(r.asked)
	}
	if r.askedAll >= maxAsked || r.asked[wire] >= maxAskedOne {
		return false
	}
	r.askedAll++
	r.asked[wire]++
	return true
}

// carry runs f for the member wire, unless too much is under way, and reports whether it does.
func (r *carrier) carry(wire string, f func(ctx context.Context)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.serving == nil || r.total >= maxCarrying || r.carrying[wire] >= maxCarryingOne {
		return false
	}
	ctx := r.serving
	r.total++
	r.carrying[wire]++
	r.running.Go(func() {
		f(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.total--
		if r.carrying[wire]--; r.carrying[wire] == 0 {
			delete(r.carrying, wire)
		}
	})
	return true
}

// carryFor does what the member wire asks for in body, the body of a frameRelay (see Relay). It does not block.
func (c *Cluster) carryFor(wire string, body []byte) {
	id, to, datagram, err := decodeRelay(body)
	if err != nil {
		c.count(&c.stats.BadMessages)
		return
	}
	datagram = slices.Clone(datagram) // body is memberlist's
	back := c.mayCarry(wire, to)
	ok := back != nil && c.carrier.carry(wire, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, carryTime)
		defer cancel()
		answer, err := c.cfg.Exchange(ctx, to, datagram)
		if err != nil || len(answer) == 0 || len(answer) > MaxRelay {
			return // whoever asked hears nothing, as it would from to itself
		}
		_ = c.ml.SendBestEffort(back, encodeFrame(frameAnswer, c.wire, encodeAnswer(id, answer)))
		c.count(&c.stats.Relayed)
	})
	if !ok {
		c.count(&c.stats.RefusedRelays)
	}
}

// mayCarry returns the member wire, if it may have something carried to to now; else nil. It must be present, and to
// be where a balancer that is present receives adverts: a member is no way to reach anything else.
func (c *Cluster) mayCarry(wire string, to netip.AddrPort) *memberlist.Node {
	if !c.carrier.admit(wire, time.Now()) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.table.runs[wire]
	if r == nil || !r.present() || wire == c.wire {
		return nil
	}
	for _, e := range c.table.entries {
		if m := e.shown; m.Meta.AdvertAddr == to && m.Meta.Role == RoleBalancer && m.State.Present() {
			return r.node()
		}
	}
	return nil
}

// exchange is what Config.Exchange does by default, on a socket of its own.
func exchange(ctx context.Context, to netip.AddrPort, datagram []byte) ([]byte, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, fmt.Errorf("membership: relay: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(datagram); err != nil {
		return nil, fmt.Errorf("membership: relay: %w", err)
	}
	buf := make([]byte, MaxRelay+1)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return nil, fmt.Errorf("membership: relay: %w", err)
		}
		if netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != to {
			continue // came while the socket was not connected yet
		}
		if n > MaxRelay {
			return nil, errors.New("membership: relay: the answer is too large")
		}
		return buf[:n], nil
	}
}
