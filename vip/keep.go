package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// keeping is the state of one Run; its goroutine owns it.
type keeping struct {
	*Claimer
	claims   <-chan Frame // of our addresses, by other stations
	carrier  bool
	lookAt   time.Time                // when to compare next
	restored time.Time                // last time a deleted address was put back
	defended map[netip.Addr]time.Time // last defence; only addresses of the group
	pending  eventQueue
}

// loop waits for what happens next and handles it, one thing at a time.
func (k *keeping) loop(ctx context.Context, changes <-chan LinkEvent) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var out chan<- Event
		var oldest Event
		if len(k.pending) > 0 {
			out, oldest = k.events, k.pending[0]
		}
		var err error
		select {
		case <-ctx.Done():
			return nil
		case out <- oldest:
			k.pending.pop()
		case change, ok := <-changes:
			if !ok && ctx.Err() == nil {
				return fmt.Errorf("watching the interface: %w", ErrClosed)
			}
			err = k.alone(ctx, func() error { return k.linkChanged(ctx, change) })
		case f := <-k.claims:
			k.heard(ctx, f)
		case <-k.wake:
		case <-timer.C:
			err = k.alone(ctx, func() error { return k.onTime(ctx) })
		}
		if err != nil {
			return err
		}
		timer.Reset(time.Until(k.nextDue(k.lookAt)))
	}
}

// alone runs f as the one operation on link and wire.
func (k *keeping) alone(ctx context.Context, f func() error) error {
	if err := k.begin(ctx); err != nil {
		return err
	}
	defer k.end()
	return f()
}

// onTime does what is due. The renewal comes first: it finds out whether this
// process overslept its lease, and then nothing may be announced.
func (k *keeping) onTime(ctx context.Context) error {
	if !time.Now().Before(k.lookAt) {
		if err := k.reconcile(ctx); err != nil {
			return err
		}
	}
	if now := time.Now(); k.announceDue(now) && k.speaks(now) {
		k.announceNow(ctx)
	}
	return nil
}

// announceNow announces, or, if the gate is shut, begins anew a moment later: what
// closed it may be over then, and the neighbours may have been told otherwise meanwhile.
func (k *keeping) announceNow(ctx context.Context) {
	err := k.announceAll(ctx)
	if errors.Is(err, ErrGateShut) {
		k.postponeAnnouncements(time.Now().Add(gateRetry))
		return
	}
	k.noteTrouble(ctx, err)
}

// linkChanged handles a hint of netlink.
func (k *keeping) linkChanged(ctx context.Context, change LinkEvent) error {
	switch change.Change {
	case CarrierLost:
		k.setCarrier(ctx, false)
		return nil
	case CarrierFound:
		k.setCarrier(ctx, true)
	case EventsMissed:
		k.log.Warn("netlink events were lost; reading the state of the interface anew")
		k.announceAnew(ctx) // the carrier may have gone and come unseen
	case AddrGone:
		if earliest := k.restored.Add(restoreInterval); time.Now().Before(earliest) {
			k.lookAt = earliest
			return nil
		}
	}
	return k.reconcile(ctx)
}

// reconcile compares the interface with what should be on it and puts it right: an
// address that is there has its lease extended, a missing one comes back.
func (k *keeping) reconcile(ctx context.Context) error {
	asked := time.Now()
	k.lookAt = asked.Add(min(k.renewal(), lookInterval))
	due := k.renewalDue(k.lookAt) // before the next look
	if k.expired(asked) {
		k.letGo(ctx, asked)
	}
	st, stErr := k.link.State(ctx)
	if stErr == nil {
		k.setCarrier(ctx, st.Carrier)
	}
	if !k.holds(time.Now()) { // not asked: reading may have taken long
		return k.trouble(ctx, stErr)
	}
	missing := k.missingIn(st)
	if stErr != nil || len(missing) > 0 || due {
		// The lease cannot wait until the state can be read again.
		if err := k.addAll(ctx); err != nil {
			return k.trouble(ctx, errors.Join(stErr, err))
		}
		k.renewed(asked)
	}
	if stErr != nil {
		return k.trouble(ctx, stErr)
	}
	if len(missing) > 0 {
		k.restored = asked
		k.log.Warn("something else deleted addresses; they are back", "vip", missing)
		for _, a := range missing {
			k.pending.push(Event{Kind: Lost, At: asked, Addr: a})
		}
		k.announceAnew(ctx)
	}
	return nil
}

func (k *keeping) missingIn(st LinkState) []netip.Addr {
	var missing []netip.Addr
	for _, a := range k.cfg.Addrs {
		same := func(on Address) bool { return on.Prefix == hostPrefix(a) }
		if !slices.ContainsFunc(st.Addrs, same) {
			missing = append(missing, a)
		}
	}
	return missing
}

// letGo ends the claim because its lease ran out: by now somebody else may hold
// the addresses, so whoever decides must decide anew.
func (k *keeping) letGo(ctx context.Context, now time.Time) {
	k.becomeIdle()
	k.pending.push(Event{Kind: Expired, At: now})
	k.log.Error("the lease expired before it was renewed; released", "vip", k.cfg.Addrs, "err", k.delAll(ctx))
}

// setCarrier notes the carrier, and announces when it is back: the switch behind
// it may have forgotten, or be another one.
func (k *keeping) setCarrier(ctx context.Context, up bool) {
	k.mu.Lock()
	k.st.Carrier = up
	k.mu.Unlock()
	if up == k.carrier {
		return
	}
	k.carrier = up
	ev := Event{Kind: LinkDown, At: time.Now()}
	if up {
		ev.Kind = LinkUp
	}
	k.pending.push(ev)
	k.log.Warn("carrier changed", "event", ev.Kind)
	if up {
		k.announceAnew(ctx)
	}
}

// announceAnew announces now, if the group is held, and restarts the schedule.
func (k *keeping) announceAnew(ctx context.Context) {
	now := time.Now()
	if !k.speaks(now) {
		return
	}
	k.restartSchedule(now)
	k.announceNow(ctx)
}

// heard looks for another station that claims what we hold, reports it and, at
// most once in DEFEND_INTERVAL, defends the address: RFC 5227, 2.4 (c).
func (k *keeping) heard(ctx context.Context, f Frame) {
	since, ours := k.speaksSince()
	if !ours || k.cfg.Mover != nil || f.At.Before(since) || !slices.Contains(k.cfg.Addrs, f.Owner) {
		return
	}
	peer := k.isPeer(f.MAC)
	k.pending.push(Event{Kind: Conflict, At: f.At, Addr: f.Owner, By: f.MAC, Peer: peer})
	now := time.Now()
	if last, ok := k.defended[f.Owner]; peer || ok && now.Sub(last) < defendInterval {
		return
	}
	err := k.alone(ctx, func() error {
		if !k.speaks(now) {
			return nil
		}
		return k.announce(ctx, f.Owner, f.At)
	})
	if errors.Is(err, ErrGateShut) {
		return // it was no defence; the next claim may get one
	}
	k.defended[f.Owner] = now
	k.log.Warn("another station claims an address held here; defended it", "vip", f.Owner, "by", f.MAC.String())
	k.noteTrouble(ctx, err)
}

// trouble sorts an error of the link: nil if there is none, or trying again may help.
func (k *keeping) trouble(ctx context.Context, err error) error {
	if errors.Is(err, ErrNoInterface) || errors.Is(err, ErrClosed) {
		return err
	}
	k.noteTrouble(ctx, err)
	return nil
}
