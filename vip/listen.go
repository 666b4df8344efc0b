package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// listener is the part of Run that reads the wire. It has a goroutine of its own, so that
// an answer never waits for netlink.
type listener struct {
	*Claimer
	limiter limiter
	claims  chan Frame // frames that claim our addresses, for keeping to judge
	healed  time.Time  // when a refusal last brought the announcements forward
}

// listen answers, remembers and passes on, until ctx ends.
func (l *listener) listen(ctx context.Context) error {
	close(l.listening)
	heard := l.wire.Heard()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-heard:
			l.hear(ctx, f)
		case <-l.beat:
			l.mu.Lock()
			l.beaten = time.Now()
			l.mu.Unlock()
		}
	}
}

func (l *listener) hear(ctx context.Context, f Frame) {
	if l.isQuestion(f) {
		l.answer(ctx, f) // first of all: somebody waits
	}
	l.noteMissed(f.Missed)
	l.stations.note(f)
	l.resolved(f)
	if !slices.Contains(l.cfg.Addrs, f.Owner) {
		return
	}
	select {
	case l.claims <- f:
	default:
		l.noteMissed(1)
	}
}

// isQuestion reports whether the frame asks for an address of the group. An announcement
// has the form of a question, but asks nothing; a stray frame is not ours to answer.
func (l *listener) isQuestion(f Frame) bool {
	return f.Target.IsValid() && f.Target != f.Owner && !f.Other && slices.Contains(l.cfg.Addrs, f.Target)
}

// answer says that the target is here, if this node holds it, the kernel is mute about it,
// there are not too many questions, and the gate is open.
func (l *listener) answer(ctx context.Context, question Frame) {
	l.sending <- struct{}{}
	defer func() { <-l.sending }()
	now := time.Now()
	if !l.answersFor(question.Target, now) {
		return
	}
	if !l.limiter.allow(question.MAC, now) {
		l.mu.Lock()
		l.st.Flooded++
		l.mu.Unlock()
		return
	}
	if !l.pass(question.At) {
		l.heal(now)
		return
	}
	err := l.wire.Answer(ctx, question)
	if err != nil {
		l.noteTrouble(ctx, fmt.Errorf("answering for %s: %w", question.Target, err))
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.st.Answered++
}

// heal has the group announced soon, at most once in a second: who got no answer would ask
// again only after a second. It goes out if the gate is open then, so it answers nobody on
// behalf of a loop that does not know what it should.
func (l *listener) heal(now time.Time) {
	if now.Sub(l.healed) >= healInterval {
		l.healed = now
		l.postponeAnnouncements(now.Add(healDelay))
	}
}

// answersFor reports whether it is for this process to answer for the address at now.
func (c *Claimer) answersFor(addr netip.Addr, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	mode := c.st.IPv6.Mode
	if addr.Is4() {
		mode = c.st.IPv4.Mode
	}
	return mode == ModeKeeper && c.speaksLocked(now)
}

// Beat asks the goroutine that answers for a sign of life, and returns when it gave the
// last one; zero before the first. It never waits: whoever calls it at an interval sees,
// one interval late, whether questions would be answered (rule E3).
func (c *Claimer) Beat() time.Time {
	select {
	case c.beat <- struct{}{}:
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.beaten
}

// Stations returns what was heard of other stations. Only ARP and NDP frames count.
func (c *Claimer) Stations() Stations { return c.stations.count(time.Now()) }

// SpokeTo appends to list the stations of which a frame came since then, by the kernel's clock,
// that was for this node alone, such as the answer to a Solicit: they hear this node, and it them.
func (c *Claimer) SpokeTo(list []Station, since time.Time) []Station {
	return c.stations.direct(list, since)
}

// HeardOther reports whether any frame of a station other than that one came since then,
// by the kernel's clock (a nil address excludes nobody): proof that this node receives.
func (c *Claimer) HeardOther(than net.HardwareAddr, since time.Time) bool {
	return c.stations.heardOther(than, since)
}

// pending is a Resolve that waits for its answer.
type pending struct {
	addr   netip.Addr
	answer chan net.HardwareAddr // room for one
}

// resolved hands a station's address to those who wait for it.
func (c *Claimer) resolved(f Frame) {
	c.askMu.Lock()
	defer c.askMu.Unlock()
	for p := range c.asked {
		if p.addr == f.Owner {
			select {
			case p.answer <- f.MAC:
			default:
			}
		}
	}
}

// Resolve asks for the hardware address of another host on the segment, such as a peer
// for SetPeers. It asks as often and waits as long as Probe ([ProbeTime]), and returns nil
// when nobody answered. It needs Run to run, and waits for it.
func (c *Claimer) Resolve(ctx context.Context, addr netip.Addr) (net.HardwareAddr, error) {
	addr = addr.Unmap()
	select {
	case <-c.listening:
	case <-ctx.Done():
		return nil, fmt.Errorf("vip: resolve %s before Run: %w", addr, ctx.Err())
	}
	p := &pending{addr: addr, answer: make(chan net.HardwareAddr, 1)}
	c.askMu.Lock()
	c.asked[p] = true
	c.askMu.Unlock()
	defer func() {
		c.askMu.Lock()
		delete(c.asked, p)
		c.askMu.Unlock()
	}()
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for range probeNum {
		if err := c.wire.Ask(ctx, addr); err != nil {
			return nil, fmt.Errorf("vip: resolve: %w", err)
		}
		select {
		case mac := <-p.answer:
			return mac, nil
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("vip: resolve %s: %w", addr, ctx.Err())
		}
	}
	return nil, nil
}

// Solicit asks each of the hosts, once and in this node's own name, for its hardware
// address and does not wait: see HeardOther for what comes of it. It tries all of them.
func (c *Claimer) Solicit(ctx context.Context, addrs ...netip.Addr) error {
	var errs []error
	for _, a := range addrs {
		errs = append(errs, c.wire.Ask(ctx, a.Unmap()))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("vip: solicit: %w", err)
	}
	return nil
}
