package viptest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/vip"
)

// probeTries is how many probes a Wire sends within vip.ProbeTime.
const probeTries = 3

// Wire is the fake of vip.Wire on one Station.
type Wire struct {
	st      *Station
	heard   chan vip.Frame
	missed  uint64
	probes  map[chan net.HardwareAddr]netip.Addr // a Probe's answer and question
	ran     bool
	running chan struct{} // closed when Run begins
	ended   chan struct{} // closed when Run has ended
	closed  bool
	done    chan struct{} // closed with the wire
}

var _ vip.Wire = (*Wire)(nil)

// Wire opens a fake wire.
func (s *Station) Wire() *Wire {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	w := &Wire{
		st:      s,
		heard:   make(chan vip.Frame, vip.HeardQueue),
		probes:  make(map[chan net.HardwareAddr]netip.Addr),
		running: make(chan struct{}),
		ended:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	s.wires = append(s.wires, w)
	return w
}

// Run implements vip.Wire.
func (w *Wire) Run(ctx context.Context) error {
	w.st.seg.mu.Lock()
	ran := w.ran
	w.ran = true
	w.st.seg.mu.Unlock()
	if ran {
		return errors.New("viptest: the wire runs already")
	}
	close(w.running)
	defer close(w.ended)
	select {
	case <-ctx.Done():
		return nil
	case <-w.done:
		return vip.ErrClosed
	}
}

// Probe implements vip.Wire.
func (w *Wire) Probe(ctx context.Context, addr netip.Addr) (net.HardwareAddr, error) {
	select {
	case <-w.running:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	answer := make(chan net.HardwareAddr, 1)
	defer func() {
		w.st.seg.mu.Lock()
		defer w.st.seg.mu.Unlock()
		delete(w.probes, answer)
	}()
	ticker := time.NewTicker(vip.ProbeTime / probeTries)
	defer ticker.Stop()
	for range probeTries {
		if err := w.ask(addr, answer); err != nil {
			return nil, err
		}
		select {
		case owner := <-answer:
			return owner, nil
		case <-ticker.C:
		case <-w.ended:
			return nil, vip.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

func (w *Wire) ask(addr netip.Addr, answer chan net.HardwareAddr) error {
	w.st.seg.mu.Lock()
	defer w.st.seg.mu.Unlock()
	if w.closed {
		return vip.ErrClosed
	}
	w.probes[answer] = addr
	f := vip.Frame{Kind: vip.ARPRequest, Target: addr}
	if addr.Is6() {
		f.Kind = vip.Solicitation
	}
	w.st.broadcast(f)
	return nil
}

// Announce implements vip.Wire.
func (w *Wire) Announce(ctx context.Context, addr netip.Addr) error {
	w.st.seg.mu.Lock()
	defer w.st.seg.mu.Unlock()
	if w.closed {
		return vip.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f := vip.Frame{Kind: vip.ARPRequest, Owner: addr, Target: addr}
	if addr.Is6() {
		f = vip.Frame{Kind: vip.Advertisement, Owner: addr}
	}
	w.st.broadcast(f)
	return nil
}

// Answer implements vip.Wire.
func (w *Wire) Answer(ctx context.Context, q vip.Frame) error {
	w.st.seg.mu.Lock()
	defer w.st.seg.mu.Unlock()
	if w.closed {
		return vip.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f := vip.Frame{Kind: vip.ARPReply, Owner: q.Target}
	if q.Target.Is6() {
		f.Kind = vip.Advertisement
	}
	w.st.reply(q.MAC, f)
	return nil
}

// Ask implements vip.Wire.
func (w *Wire) Ask(ctx context.Context, addr netip.Addr) error {
	w.st.seg.mu.Lock()
	defer w.st.seg.mu.Unlock()
	if w.closed {
		return vip.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.st.question(addr)
	return nil
}

// Heard implements vip.Wire.
func (w *Wire) Heard() <-chan vip.Frame { return w.heard }

// Close implements vip.Wire.
func (w *Wire) Close() error {
	w.st.seg.mu.Lock()
	defer w.st.seg.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.done)
	}
	return nil
}

// receive takes a frame. It needs seg.mu.
func (w *Wire) receive(f vip.Frame) {
	if w.closed {
		return
	}
	for answer, addr := range w.probes {
		if addr == f.Owner {
			select {
			case answer <- f.MAC:
			default:
			}
		}
	}
	f.Missed = w.missed
	select {
	case w.heard <- f:
		w.missed = 0
	default:
		w.missed++
	}
}
