package membership

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestNewRunsAreAdmittedInBoundsAndTheBoundsRefill(t *testing.T) {
	a, now := newAdmission(), time.Unix(1000, 0)
	one := netip.MustParseAddr("10.0.0.1")
	for i := range newAtOnce {
		if err := a.admit(one, i, now); err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
	}
	if err := a.admit(one, newAtOnce, now); !errors.Is(err, errTooManyNew) {
		t.Errorf("one more: %v", err)
	}
	if err := a.admit(one, newAtOnce, now.Add(time.Second)); err != nil {
		t.Errorf("a second later: %v", err)
	}
	if err := a.admit(one, maxRuns, now.Add(time.Minute)); !errors.Is(err, errTooManyRuns) {
		t.Errorf("when the table is full: %v", err)
	}
}

func TestRunsAtOneAddressAreBoundedAndForgotten(t *testing.T) {
	a, now := newAdmission(), time.Unix(1000, 0)
	one, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for range maxPerAddr {
		a.moved(netip.Addr{}, one)
	}
	if err := a.admit(one, 0, now); !errors.Is(err, errTooManyAtAddr) {
		t.Errorf("one more: %v", err)
	}
	a.moved(one, other)
	if err := a.admit(one, 0, now); err != nil {
		t.Errorf("after one has moved: %v", err)
	}
	for range maxPerAddr - 1 {
		a.moved(one, netip.Addr{})
	}
	a.moved(other, netip.Addr{})
	if len(a.byAddr) != 0 {
		t.Errorf("left: %v", a.byAddr)
	}
}

// Whatever a member with the gossip key hands to the delegate, in whatever order: nothing panics, and what is kept stays
// within its bounds.
func FuzzDelegate(f *testing.F) {
	statementOf := func(s statement) []byte {
		b, _ := s.encode()
		return b
	}
	agent := statementOf(statement{seq: 3, meta: Meta{Role: RoleAgent, Apps: []App{{Pool: "web", Addr: netip.MustParseAddrPort("10.0.0.3:3000"), Weight: 1}}}})
	f.Add([]byte("s1#mft2k9x1-AB"), []byte{10, 0, 0, 3}, uint16(7946), agent, encodeFrame(framePush, "s1#mft2k9x1-AB", agent))
	f.Add([]byte("lb1#mft2k9x1-AB"), []byte{10, 0, 0, 1}, uint16(7946), statementOf(statement{leaving: true, meta: Meta{Role: RoleBalancer}}),
		encodeFrame(frameOrder, "lb1#mft2k9x1-AB", encodeOrder(order{1, "lb1#1-AA", orderListKeys, nil})))
	f.Add([]byte("evil"), []byte("sixteen bytes ok"), uint16(0), []byte{metaVersion}, []byte{frameReport, 0xff})
	f.Fuzz(func(t *testing.T, name, addr []byte, port uint16, meta, msg []byte) {
		c, d := fuzzed()
		for range 2 {
			n := nodeFor(string(name), addr, port, meta)
			if d.NotifyAlive(n) == nil {
				d.NotifyJoin(n)
				d.NotifyPingComplete(n, 0, nil)
			}
			d.NotifyMsg(msg)
			c.suspected(string(name))
			n.Meta = msg
			if d.NotifyAlive(n) == nil {
				d.NotifyUpdate(n)
			}
			d.NotifyLeave(n)
		}
		c.places()
		for _, m := range c.Members() {
			if checkName(m.Name) != nil || !reachable(netip.AddrPortFrom(m.Addr, m.Port)) || m.Meta.check() != nil {
				t.Fatalf("%+v is shown", m)
			}
		}
		if len(c.table.runs) > 4 || len(c.table.early) > 4 || len(c.table.entry.byAddr) > 4 {
			t.Fatalf("%d runs, %d early statements are kept", len(c.table.runs), len(c.table.early))
		}
	})
}
