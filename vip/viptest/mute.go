package viptest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tandem-lb/tandem/vip"
)

// Muter is the fake of vip.Muter on one Station.
type Muter struct {
	st     *Station
	group  string
	addrs  []netip.Addr
	state  vip.MuteState
	ran    bool
	closed bool
	done   chan struct{} // closed with the muter
}

// muteTable makes a station's kernel silent about addresses, as long as it is there.
type muteTable struct {
	addrs []netip.Addr
	owner *Muter // nil: its process has ended
}

var _ vip.Muter = (*Muter)(nil)

// OpenMuter implements Host.
func (s *Station) OpenMuter(group string, addrs ...netip.Addr) (vip.Muter, error) {
	return &Muter{st: s, group: group, addrs: addrs, done: make(chan struct{})}, nil
}

// RefuseMuting makes every later Mute fail, for the families whose error is not nil.
func (s *Station) RefuseMuting(four, six error) {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	s.refuseMute4, s.refuseMute6 = four, six
}

// Mute implements vip.Muter.
func (m *Muter) Mute(ctx context.Context) error {
	m.st.seg.mu.Lock()
	defer m.st.seg.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return err
	}
	if t := m.st.mutes[m.group]; t != nil && t.owner != nil && t.owner != m {
		return fmt.Errorf("viptest: group %s is muted by another process: %w", m.group, vip.ErrNotOurs)
	}
	m.state = vip.MuteState{IPv4: muting(m.st.refuseMute4), IPv6: muting(m.st.refuseMute6)}
	t := &muteTable{owner: m}
	for _, a := range m.addrs {
		if a.Is4() && m.state.IPv4.InForce || a.Is6() && m.state.IPv6.InForce {
			t.addrs = append(t.addrs, a)
		}
	}
	if m.st.mutes == nil {
		m.st.mutes = make(map[string]*muteTable)
	}
	m.st.mutes[m.group] = t
	return nil
}

func muting(err error) vip.Muting {
	return vip.Muting{InForce: err == nil, Owned: err == nil, Persistent: err == nil, Err: err}
}

// State implements vip.Muter.
func (m *Muter) State() vip.MuteState {
	m.st.seg.mu.Lock()
	defer m.st.seg.mu.Unlock()
	return m.state
}

// Run implements vip.Muter. Nothing removes a fake table.
func (m *Muter) Run(ctx context.Context) error {
	m.st.seg.mu.Lock()
	ran := m.ran
	m.ran = true
	m.st.seg.mu.Unlock()
	if ran {
		return errors.New("viptest: the muter runs already")
	}
	select {
	case <-ctx.Done():
		return nil
	case <-m.done:
		return vip.ErrClosed
	}
}

// Unmute implements vip.Muter.
func (m *Muter) Unmute(ctx context.Context) error {
	m.st.seg.mu.Lock()
	defer m.st.seg.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return err
	}
	if t := m.st.mutes[m.group]; t != nil && t.owner == m {
		delete(m.st.mutes, m.group)
	}
	m.state = vip.MuteState{}
	return nil
}

// Close implements vip.Muter.
func (m *Muter) Close() error {
	m.st.seg.mu.Lock()
	defer m.st.seg.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	close(m.done)
	if t := m.st.mutes[m.group]; t != nil && t.owner == m {
		t.owner = nil
	}
	return nil
}

// The following need seg.mu.

func (m *Muter) usable(ctx context.Context) error {
	if m.closed {
		return vip.ErrClosed
	}
	return ctx.Err()
}

// muted reports whether the station's kernel is silent about addr.
func (s *Station) muted(addr netip.Addr) bool {
	for _, t := range s.mutes {
		if slices.Contains(t.addrs, addr) {
			return true
		}
	}
	return false
}
