package handover_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/handover"
)

// flows lists those of a node, and how many sockets the kernel let through its filter.
func flows(t *testing.T, n node, vips ...netip.Addr) (found map[handover.Flow]int, sockets int) {
	t.Helper()
	found = make(map[handover.Flow]int)
	check(t, n.Do(func() (err error) {
		sockets, err = handover.ListFlows(vips, func(w handover.Flow) { found[w]++ })
		return err
	}))
	return found, sockets
}

func TestConnectionsToTheVIPsAreListed(t *testing.T) {
	bed := newBed(t)
	bed.dial(netip.AddrPortFrom(bed.a.own[0], 80)).by(bed.a) // no VIP
	want := map[handover.Flow]bool{}
	for _, web := range append(webs, netip.AddrPortFrom(other4, 80)) {
		for range 3 {
			k := bed.dial(web)
			k.by(bed.a)
			want[handover.Flow{Client: addrPort(k.LocalAddr()), Server: web}] = true
		}
	}
	for _, c := range []struct {
		vips []netip.Addr
		most int
	}{
		{vips, 9},
		{[]netip.Addr{vip4}, 3},
		{[]netip.Addr{vip6}, 3},
		{[]netip.Addr{netip.MustParseAddr("192.168.42.99"), other4, vip6}, 6},
		{[]netip.Addr{netip.MustParseAddr("192.168.42.99")}, 0},
	} {
		found, sockets := flows(t, bed.a, c.vips...)
		for w, times := range found {
			if !want[w] || times != 1 {
				t.Errorf("%v: %+v is listed %d times", c.vips, w, times)
			}
		}
		if len(found) != c.most {
			t.Errorf("%v: %d connections, want %d", c.vips, len(found), c.most)
		}
		if sockets != c.most {
			t.Errorf("%v: the kernel's filter let %d sockets through, want %d", c.vips, sockets, c.most)
		}
	}
}

func TestThousandsOfConnectionsAreSeeded(t *testing.T) {
	bed := newBed(t)
	var more []handover.Flow
	for i := range 2500 {
		port := uint16(1000 + i)
		more = append(more,
			handover.Flow{Client: netip.AddrPortFrom(bed.client.own[0], port), Server: web4},
			handover.Flow{Client: netip.AddrPortFrom(bed.client.own[1], port), Server: web6})
	}
	var table *handover.Table
	began := time.Now()
	check(t, bed.b.Do(func() (err error) {
		table, err = handover.OpenWith(context.Background(), bed.config(bed.a), handover.Step{More: more})
		return err
	}))
	defer table.Close()
	t.Logf("opened with %d connections in %v", len(more), time.Since(began))
	if st := stats(t, table); st.Seeded != len(more) {
		t.Errorf("%+v; want %d seeded", st, len(more))
	}
	resets := counter(t, bed.b, "snmp", "Tcp", "OutRsts")
	for _, w := range []handover.Flow{more[0], more[1], more[len(more)-2], more[len(more)-1]} {
		bed.frame(bed.b.MAC(), handover.Segment(w.Client, w.Server, handover.FlagACK, 1, 2))
	}
	eventually(t, "B keeps them, and resets what it does not have", func() bool {
		return counter(t, bed.b, "snmp", "Tcp", "OutRsts") == resets+4
	})
	if st := stats(t, table); st.Forwarded != 0 {
		t.Errorf("%+v; want nothing forwarded", st)
	}
}
