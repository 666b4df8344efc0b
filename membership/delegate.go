package membership

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls. Most calls come while memberlist holds its node lock: nothing here blocks or
// calls back into memberlist, and Cluster.mu is always taken after that lock, never before.
type delegate struct{ c *Cluster }

var (
	_ memberlist.Delegate      = delegate{}
	_ memberlist.EventDelegate = delegate{}
	_ memberlist.AliveDelegate = delegate{}
	_ memberlist.PingDelegate  = delegate{}
)

// NodeMeta returns the own meta; Open and SetMeta have made sure that it fits.
func (d delegate) NodeMeta(int) []byte { return *d.c.metaBytes.Load() }

// NotifyAlive refuses what cannot be believed, before memberlist takes it in: an error here makes memberlist ignore
// the message, so a member with a bad meta does not exist, or stays as it was.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	r := d.c.table.runs[n.Name]
	if r != nil && r.repeats(n) { // nearly always: there is nothing to decode
		d.c.table.suspect(n.Name, false, time.Now())
		return nil
	}
	addr, _, err := readNode(n)
	if err != nil {
		d.c.stats.BadMeta++
		return err
	}
	if r == nil && n.Name != d.c.wire {
		if err := d.c.table.entry.admit(addr.Addr(), len(d.c.table.runs), time.Now()); err != nil {
			d.c.stats.RefusedNew++
			return err
		}
	}
	d.c.table.suspect(n.Name, false, time.Now())
	return nil
}

func (d delegate) NotifyJoin(n *memberlist.Node)   { d.heard(n) }
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.heard(n) }

func (d delegate) heard(n *memberlist.Node) {
	addr, said, err := readNode(n)
	if err != nil {
		return // not possible: NotifyAlive has refused it
	}
	d.c.note(func(now time.Time) []Event {
		events := d.c.table.heard(n.Name, addr, said, now)
		if r := d.c.table.runs[n.Name]; r != nil {
			r.raw = n.Meta
		}
		return events
	})
}

// NotifyLeave is called for members that left and for those that failed; the table knows which from what they said last.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	d.c.note(func(now time.Time) []Event { return d.c.table.gone(n.Name, now) })
}

// NotifyMsg takes what another member sent directly.
func (d delegate) NotifyMsg(b []byte) {
	kind, wire, body, err := decodeFrame(b)
	if err != nil {
		d.c.count(&d.c.stats.BadMessages)
		return
	}
	switch kind {
	case framePush:
		said, err := decodeStatement(body)
		if err != nil {
			d.c.count(&d.c.stats.BadMessages)
			return
		}
		d.c.note(func(now time.Time) []Event { return d.c.table.pushed(wire, said, now) })
	case framePayload:
		name, _, _ := parseWireName(wire) // decodeFrame has checked it
		select {
		case d.c.inbox <- Message{From: name, Payload: append([]byte(nil), body...)}:
		default:
			d.c.count(&d.c.stats.DroppedMessages)
		}
	case frameOrder:
		d.c.obey(wire, body)
	case frameReport:
		r, err := decodeReport(body)
		switch {
		case err != nil:
			d.c.count(&d.c.stats.BadMessages)
		default:
			r.body = slices.Clone(r.body) // b is memberlist's
			d.c.orders.reported(wire, r)
		}
	case frameRelay:
		d.c.carryFor(wire, body)
	case frameAnswer:
		id, datagram, err := decodeAnswer(body)
		switch {
		case err != nil:
			d.c.count(&d.c.stats.BadMessages)
		case !d.c.questions.answer(wire, id, datagram):
			d.c.count(&d.c.stats.RefusedRelays)
		}
	}
}

// AckPayload adds nothing to acks.
func (d delegate) AckPayload() []byte { return nil }

// NotifyPingComplete clears suspicion: a probe was answered.
func (d delegate) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	d.c.answered(n.Name)
}

// GetBroadcasts, LocalState and MergeRemoteState are memberlist's other ways to carry data; we need none of them.
func (d delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d delegate) LocalState(bool) []byte          { return nil }
func (d delegate) MergeRemoteState([]byte, bool)   {}

// readNode takes a node of memberlist's apart, or says why it is not to be believed.
func readNode(n *memberlist.Node) (netip.AddrPort, statement, error) {
	if _, _, err := parseWireName(n.Name); err != nil {
		return netip.AddrPort{}, statement{}, err
	}
	ip, ok := netip.AddrFromSlice(n.Addr)
	addr := netip.AddrPortFrom(ip.Unmap(), n.Port)
	if !ok || !reachable(addr) {
		return netip.AddrPort{}, statement{}, fmt.Errorf("%v:%d is not an address and port that others can reach", n.Addr, n.Port)
	}
	said, err := decodeStatement(n.Meta)
	return addr, said, err
}
