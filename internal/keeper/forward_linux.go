package keeper

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/handover"
)

// forwarder is one group's forward table: what comes in for the VIPs and is no connection of
// this node goes on to a peer. Its methods are called one after another.
type forwarder struct {
	group  string
	device string
	own    []netip.Prefix // this node's, on the device
	vips   []netip.Addr
	table  *handover.Table // nil: there is none
}

// prepare puts a table towards a peer in force, in place of any other; when it returns an
// error there is none.
func (f *forwarder) prepare(ctx context.Context, a election.Prepare, w *where) error {
	if w == nil {
		return errors.Join(errors.New(a.Node+" has not said where to forward to"), f.forget())
	}
	table, err := handover.Open(ctx, handover.Config{
		Group: f.group, Device: f.device, VIPs: f.vips, Peers: f.near(w.addrs), PeerMACs: w.macs, Drain: a.For,
	})
	if err != nil {
		return errors.Join(err, f.forget())
	}
	old := f.table
	f.table = table
	if old != nil {
		return old.Close() // the new one knows the connections of both
	}
	return nil
}

// forget takes the table out of force.
func (f *forwarder) forget() error {
	if f.table == nil {
		return nil
	}
	table := f.table
	f.table = nil
	return table.Close()
}

// near returns those of a peer's addresses that are on the device's segment.
func (f *forwarder) near(addrs []netip.Addr) (near []netip.Addr) {
	for _, a := range addrs {
		on := func(p netip.Prefix) bool { return p.Contains(a) }
		if !slices.Contains(f.vips, a) && !a.IsLinkLocalUnicast() && slices.ContainsFunc(f.own, on) {
			near = append(near, a)
		}
	}
	return near
}

// whereabouts is what a peer needs to know to forward to this node.
func (g *group) whereabouts() (talk, error) {
	macs, err := handover.MACs(g.ifi.Name)
	if err != nil {
		return talk{}, fmt.Errorf("group %s: %w", g.name, err)
	}
	w := &where{macs: macs}
	for _, p := range g.ifi.Own {
		w.addrs = append(w.addrs, p.Addr())
	}
	return talk{group: g.name, where: w}, nil
}

// forwards does what concerns the forward table, one after the other, until ctx ends; then it
// takes the table away.
func (g *group) forwards(ctx context.Context, emit func(event)) error {
	for {
		select {
		case <-ctx.Done():
			return g.forward.forget()
		case action := <-g.tables:
			bound, cancel := context.WithTimeout(ctx, actionTimeout)
			ev := action(bound)
			cancel()
			if ev != nil {
				emit(ev)
			}
		}
	}
}
