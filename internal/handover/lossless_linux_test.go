package handover_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/tandem-lb/tandem/internal/handover"
)

// selfTest lets a node find out whether a peer can forward to it, with the peer's part as it
// would be asked for over the network.
func selfTest(ctx context.Context, t *testing.T, on, peer node, reflect func(context.Context, handover.ProbeRequest) (handover.ProbeReply, error)) (r handover.Report) {
	t.Helper()
	if reflect == nil {
		reflect = reflectOn(t, peer)
	}
	check(t, on.Do(func() error {
		r = handover.Lossless(ctx, handover.LosslessConfig{Device: "eth0", Own: on.own, Peers: peer.own}, reflect)
		return nil
	}))
	for _, n := range []node{on, peer} {
		if left := tables(t, n); len(left) > 0 {
			t.Errorf("tables %q are left on %s", left, n.Name())
		}
	}
	return r
}

// reflectTime is shorter than Reflect's own, for the tests in which it is in vain.
const reflectTime = 500 * time.Millisecond

func reflectOn(t *testing.T, peer node) func(context.Context, handover.ProbeRequest) (handover.ProbeReply, error) {
	return func(ctx context.Context, req handover.ProbeRequest) (reply handover.ProbeReply, err error) {
		ctx, cancel := context.WithTimeout(ctx, reflectTime)
		defer cancel()
		data, err := req.MarshalBinary()
		if err == nil {
			err = req.UnmarshalBinary(data)
		}
		if err != nil {
			return reply, err
		}
		err = peer.Do(func() error {
			reply, err = handover.Reflect(ctx, "eth0", peer.own, req)
			return err
		})
		return reply, err
	}
}

func TestTwoNodesOnASwitchAreLossless(t *testing.T) {
	bed := newBed(t)
	for _, pair := range [][2]node{{bed.a, bed.b}, {bed.b, bed.a}} {
		r := selfTest(t.Context(), t, pair[0], pair[1], nil)
		if !r.Lossless() || r.Err() != nil || r.RTT["IPv4"] <= 0 || r.RTT["IPv6"] <= 0 {
			t.Errorf("%+v: %v", r, r.Err())
		}
	}
}

// wants fails unless there is exactly one reason for each family, and it is the one.
func wants(t *testing.T, r handover.Report, why string) {
	t.Helper()
	if r.Lossless() || len(r.Why) != 2 || r.Err() == nil {
		t.Errorf("%q; want a reason for each family", r.Why)
	}
	for i, got := range r.Why {
		if !strings.HasPrefix(got, []string{"IPv4: ", "IPv6: "}[i]) || !strings.Contains(got, why) {
			t.Errorf("%q; want %q", got, why)
		}
	}
}

func TestAPairThatLosesPacketsIsToldWhy(t *testing.T) {
	bed := newBed(t)
	if r := selfTest(t.Context(), t, bed.a, bed.b, nil); !r.Lossless() { // and they know each other's hardware addresses
		t.Fatal(r.Err())
	}
	check(t, bed.b.Drop(bed.a.Host))
	wants(t, selfTest(t.Context(), t, bed.a, bed.b, nil), "none came back")
	check(t, bed.b.Undrop(bed.a.Host))
	check(t, bed.a.Drop(bed.b.Host))
	wants(t, selfTest(t.Context(), t, bed.a, bed.b, nil), "has seen no probe")
	check(t, bed.a.Undrop(bed.b.Host))
	refused := func(context.Context, handover.ProbeRequest) (handover.ProbeReply, error) {
		return handover.ProbeReply{}, errors.New("not today")
	}
	wants(t, selfTest(t.Context(), t, bed.a, bed.b, refused), "the peer cannot forward: not today")
	silent := func(ctx context.Context, _ handover.ProbeRequest) (handover.ProbeReply, error) {
		<-ctx.Done()
		return handover.ProbeReply{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wants(t, selfTest(ctx, t, bed.a, bed.b, silent), "deadline exceeded")
	lying := func(context.Context, handover.ProbeRequest) (handover.ProbeReply, error) {
		return handover.ProbeReply{Forwarded: 1}, nil
	}
	wants(t, selfTest(t.Context(), t, bed.a, bed.b, lying), "none came back")
	busy := func(ctx context.Context, req handover.ProbeRequest) (handover.ProbeReply, error) {
		reply, err := reflectOn(t, bed.b)(ctx, req)
		reply.Obstacles = append(reply.Obstacles, "LRO is on at eth0")
		return reply, err
	}
	if r := selfTest(t.Context(), t, bed.a, bed.b, busy); !slices.Equal(r.Why, []string{"the peer says: LRO is on at eth0"}) {
		t.Errorf("%q; want the peer's obstacle, once", r.Why)
	}
}

// What a hypervisor or a switch with source guard does: only frames with the port's own
// address as source may leave it.
func TestAFilterOfSourceAddressesIsFound(t *testing.T) {
	bed := newBed(t)
	guard(t, bed.b)
	wants(t, selfTest(t.Context(), t, bed.a, bed.b, nil), "filter source addresses")
}

func TestObstaclesAreNamed(t *testing.T) {
	bed := newBed(t)
	far := netip.MustParseAddr("10.9.9.9")
	check(t, bed.a.Do(func() error {
		if why := handover.Obstacles("eth0", append(bed.b.own, netip.MustParseAddr("fe80::1%eth0"))...); len(why) > 0 {
			t.Errorf("obstacles on a plain switch: %q", why)
		}
		if why := handover.Obstacles("eth0", far); len(why) != 1 || !strings.Contains(why[0], "10.9.9.9 is in no subnet of eth0") {
			t.Errorf("a peer elsewhere: %q", why)
		}
		if why := handover.Obstacles("no-such"); len(why) != 1 || !strings.Contains(why[0], "no-such") {
			t.Errorf("no interface: %q", why)
		}
		return nil
	}))
	check(t, bed.a.Do(func() error {
		bond := netlink.NewLinkBond(netlink.LinkAttrs{Name: "bond0"})
		bond.Mode = netlink.BOND_MODE_BALANCE_ALB
		if err := netlink.LinkAdd(bond); err != nil {
			t.Logf("this kernel makes no bonds (%v): the kernel's description of one is tested alone", err)
			return nil
		}
		if why := handover.Obstacles("bond0"); len(why) != 1 || !strings.Contains(why[0], "bond of mode 6") {
			t.Errorf("a bond that balances: %q", why)
		}
		return nil
	}))
}

func TestNobodyIsMadeToForwardForOthers(t *testing.T) {
	bed := newBed(t)
	own := append(bed.b.own, vip4)
	for _, req := range []handover.ProbeRequest{
		{From: vip4, To: bed.b.own[0], Port: 9},
		{From: bed.a.own[0], To: bed.client.own[0], Port: 9},
		{From: bed.b.own[0], To: bed.b.own[0], Port: 9},
		{From: bed.a.own[0], To: bed.b.own[0]},
	} {
		check(t, bed.b.Do(func() error {
			if _, err := handover.Reflect(context.Background(), "eth0", own, req); err == nil {
				t.Errorf("%+v was let through", req)
			}
			return nil
		}))
	}
}

func TestATableIsOnlyGoneOnceItIs(t *testing.T) {
	bed := newBed(t)
	table := bed.forward(bed.b, bed.a)
	check(t, bed.b.Do(func() error {
		if err := handover.Gone(table); err == nil {
			t.Error("a table in force is said to be gone")
		}
		check(t, table.Close())
		return handover.Gone(table)
	}))
}

func TestTheNodesHardwareAddressesAreFound(t *testing.T) {
	bed := newBed(t)
	check(t, bed.a.Do(func() error {
		macs, err := handover.MACs("eth0")
		if err != nil || len(macs) != 1 || macs[0].String() != bed.a.MAC().String() {
			t.Errorf("%v (%v), want %v", macs, err, bed.a.MAC())
		}
		if macs, err := handover.MACs("no-such"); err == nil {
			t.Errorf("of no interface: %v", macs)
		}
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0", HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 7}}}
		if err := netlink.LinkAdd(bridge); err != nil {
			return err
		}
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetMaster(eth0, bridge); err != nil {
			return err
		}
		if macs, err = handover.MACs("br0"); err != nil || len(macs) != 1 || macs[0].String() != bridge.HardwareAddr.String() {
			t.Errorf("%v (%v), want the bridge's alone", macs, err)
		}
		return nil
	}))
}
