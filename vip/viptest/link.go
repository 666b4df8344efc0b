package viptest

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/vip"
)

// linkQueue is how many changes wait for a slow Watch before they become one
// EventsMissed, as in a netlink socket.
const linkQueue = 64

// Link is the fake of vip.Link on one Station.
type Link struct {
	st      *Station
	changes []vip.LinkEvent // bounded by linkQueue
	more    chan struct{}   // a token when changes is not empty
	watched bool
	closed  bool
	done    chan struct{} // closed with the link
}

var _ vip.Link = (*Link)(nil)

// Link opens a fake link.
func (s *Station) Link() *Link {
	s.seg.mu.Lock()
	defer s.seg.mu.Unlock()
	l := &Link{st: s, more: make(chan struct{}, 1), done: make(chan struct{})}
	s.links = append(s.links, l)
	return l
}

// State implements vip.Link.
func (l *Link) State(ctx context.Context) (vip.LinkState, error) {
	l.st.seg.mu.Lock()
	defer l.st.seg.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return vip.LinkState{}, err
	}
	st := vip.LinkState{Carrier: l.st.carrier}
	for p, until := range l.st.addrs {
		a := vip.Address{Prefix: p}
		if !until.IsZero() {
			if a.Lease = time.Until(until); a.Lease <= 0 {
				continue
			}
		}
		st.Addrs = append(st.Addrs, a)
	}
	return st, nil
}

// Add implements vip.Link.
func (l *Link) Add(ctx context.Context, p netip.Prefix, lease time.Duration) error {
	l.st.seg.mu.Lock()
	defer l.st.seg.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	if err := l.st.refuse[p.Addr()]; err != nil {
		return err
	}
	if lease < time.Second || lease%time.Second != 0 {
		return errors.New("viptest: a lease is whole seconds, at least one")
	}
	until := time.Now().Add(lease)
	l.st.addrs[p] = until
	time.AfterFunc(lease, func() {
		l.st.seg.mu.Lock()
		defer l.st.seg.mu.Unlock()
		if l.st.addrs[p].Equal(until) { // not renewed since
			l.st.del(p)
		}
	})
	return nil
}

// Del implements vip.Link.
func (l *Link) Del(ctx context.Context, p netip.Prefix) error {
	l.st.seg.mu.Lock()
	defer l.st.seg.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	l.st.del(p)
	return nil
}

// Watch implements vip.Link.
func (l *Link) Watch(ctx context.Context) (<-chan vip.LinkEvent, error) {
	l.st.seg.mu.Lock()
	defer l.st.seg.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if l.watched {
		return nil, errors.New("viptest: watched already")
	}
	l.watched = true
	events := make(chan vip.LinkEvent)
	go l.watch(ctx, events)
	return events, nil
}

// watch hands out what notify has queued.
func (l *Link) watch(ctx context.Context, events chan<- vip.LinkEvent) {
	defer close(events)
	for {
		select {
		case <-l.more:
		case <-l.done:
			return
		case <-ctx.Done():
			return
		}
		l.st.seg.mu.Lock()
		changes := l.changes
		l.changes = nil
		l.st.seg.mu.Unlock()
		for _, ev := range changes {
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Close implements vip.Link.
func (l *Link) Close() error {
	l.st.seg.mu.Lock()
	defer l.st.seg.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	return nil
}

// The following need seg.mu.

func (l *Link) usable(ctx context.Context) error {
	if l.closed {
		return vip.ErrClosed
	}
	return ctx.Err()
}

func (l *Link) notify(change vip.LinkChange) {
	if len(l.changes) == linkQueue {
		l.changes = nil
		change = vip.EventsMissed
	}
	l.changes = append(l.changes, vip.LinkEvent{Change: change})
	select {
	case l.more <- struct{}{}:
	default:
	}
}
