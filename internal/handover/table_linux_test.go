package handover_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/handover"
)

var webs = []netip.AddrPort{web4, web6}

func TestAConnectionToTheOldOwnerGoesOn(t *testing.T) {
	bed := newBed(t)
	for _, web := range webs {
		bed.point(bed.a)
		old := bed.dial(web)
		old.by(bed.a)
		table := bed.forward(bed.b, bed.a)
		bed.point(bed.b)
		old.by(bed.a)
		fresh := bed.dial(web)
		fresh.by(bed.b)
		old.by(bed.a)
		fresh.by(bed.b)
		if st := stats(t, table); st.Forwarded == 0 {
			t.Errorf("%v: nothing was forwarded: %+v", web, st)
		}
		check(t, table.Close())
		check(t, table.Close())
		if _, err := table.Stats(); err == nil {
			t.Error("a closed table has statistics")
		}
		// And without a table B breaks what it does not know: this is what all is about.
		if who, err := old.ask("hello"); err == nil {
			t.Errorf("%v: %s answered after the table was closed", web, who)
		}
	}
}

// An upload is many large segments, which the kernel merges on arrival and must cut again
// when it sends them on; the move comes in its middle.
func TestAnUploadLosesNoByte(t *testing.T) {
	bed := newBed(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	for i, web := range webs {
		port := netip.AddrPortFrom(netip.Addr{}, uint16(8080+i)).Port()
		bed.point(bed.a)
		l, err := bed.a.Listen("tcp", netip.AddrPortFrom(netip.IPv6Unspecified(), port))
		check(t, err)
		sum := make(chan string, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				sum <- err.Error()
				return
			}
			defer c.Close()
			h := sha256.New()
			n, err := io.Copy(h, c)
			sum <- fmt.Sprintf("%x of %d bytes (%v)", h.Sum(nil), n, err)
		}()
		k := bed.dial(netip.AddrPortFrom(web.Addr(), port))
		check(t, k.SetDeadline(time.Now().Add(patience)))
		_, err = k.Write(data[:len(data)/2])
		check(t, err)
		table := bed.forward(bed.b, bed.a)
		bed.point(bed.b)
		_, err = k.Write(data[len(data)/2:])
		check(t, err)
		check(t, k.CloseWrite())
		want := fmt.Sprintf("%x of %d bytes (<nil>)", sha256.Sum256(data), len(data))
		if got := <-sum; got != want {
			t.Errorf("%v: A has %s, want %s", web, got, want)
		}
		if st := stats(t, table); st.Forwarded < 100 {
			t.Errorf("%v: %+v: the move came too late to prove anything", web, st)
		}
		check(t, table.Close())
	}
}

// Listed first and watched then, a connection that opens in between would be sent to the
// peer, which does not know it.
func TestAConnectionThatOpensMeanwhileIsNotLost(t *testing.T) {
	bed := newBed(t)
	for _, web := range webs {
		bed.point(bed.b)
		before := bed.dial(web)
		var during [2]*talk
		var table *handover.Table
		check(t, bed.b.Do(func() (err error) {
			table, err = handover.OpenWith(context.Background(), bed.config(bed.a), handover.Step{
				AfterWatch: func() { during[0] = bed.dial(web) },
				AfterList:  func() { during[1] = bed.dial(web) },
			})
			return err
		}))
		for _, k := range []*talk{before, during[0], during[1]} {
			k.by(bed.b)
		}
		if st := stats(t, table); st.Forwarded != 0 {
			t.Errorf("%v: %+v: want nothing forwarded", web, st)
		}
		check(t, table.Close())
	}
}

func TestThreeMovesWithoutARing(t *testing.T) {
	bed := newBed(t)
	var all []*talk
	var owners []node
	open := func(owner node) {
		for _, web := range webs {
			k := bed.dial(web)
			k.by(owner)
			all, owners = append(all, k), append(owners, owner)
		}
	}
	began := time.Now()
	open(bed.a)
	toA := bed.forward(bed.b, bed.a)
	bed.point(bed.b)
	open(bed.b)
	toB := bed.forward(bed.a, bed.b)
	bed.point(bed.a)
	open(bed.a)
	next := bed.forward(bed.b, bed.a)
	check(t, toA.Close())
	bed.point(bed.b)
	open(bed.b)
	for i, k := range all {
		k.by(owners[i])
	}
	if d := time.Since(began); d > 4*time.Second {
		t.Logf("three moves took %v, on a busy machine", d)
	}
	// A segment of a connection that nobody knows: B sends it to A, and A leaves it there.
	for _, web := range webs {
		stranger := netip.AddrPortFrom(bed.client.own[map[bool]int{true: 0, false: 1}[web.Addr().Is4()]], 5)
		b, a := stats(t, next).Forwarded, stats(t, toB).Forwarded
		resets := counter(t, bed.a, "snmp", "Tcp", "OutRsts")
		bed.frame(bed.b.MAC(), handover.Segment(stranger, web, handover.FlagACK, 1, 2))
		eventually(t, "A resets it", func() bool { return counter(t, bed.a, "snmp", "Tcp", "OutRsts") > resets })
		// In a ring it would go round until its hop limit of 64 ends it. Late ACKs of the open
		// connections may be among those that B has forwarded.
		b, a = stats(t, next).Forwarded-b, stats(t, toB).Forwarded-a
		if most := uint64(1 + len(all)); b < 1 || b > most || a != 0 {
			t.Errorf("%v: B has forwarded %d packets and A %d, want 1 to %d and none", web, b, a, most)
		}
	}
}

func TestTwoVIPsAndOnePortOfAClient(t *testing.T) {
	bed := newBed(t)
	from := func(web netip.AddrPort) *talk {
		var c net.Conn
		check(t, bed.client.Do(func() (err error) {
			d := net.Dialer{
				LocalAddr: &net.TCPAddr{Port: 4444}, Timeout: patience,
				Control: func(_, _ string, raw syscall.RawConn) error {
					return raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
				},
			}
			c, err = d.Dial("tcp4", web.String())
			return err
		}))
		return bed.talk(c)
	}
	k := from(web4)
	k.by(bed.a)
	bed.forward(bed.b, bed.a)
	bed.point(bed.b)
	from(netip.AddrPortFrom(other4, 80)).by(bed.b)
	k.by(bed.a)
}

func TestAFullTableSendsNewConnectionsToThePeer(t *testing.T) {
	bed := newBed(t)
	cfg := bed.config(bed.a)
	cfg.MaxFlows = 1
	check(t, bed.b.Do(func() error {
		table, err := handover.Open(context.Background(), cfg)
		if err == nil {
			t.Cleanup(func() { table.Close() })
		}
		return err
	}))
	bed.point(bed.b)
	for _, web := range webs {
		first, second := bed.dial(web), bed.dial(web)
		first.by(bed.b)
		second.by(bed.a)
		first.by(bed.b)
	}
}

// A switch floods a frame to whom it does not know; each node sees it, and it is for none.
func TestFloodedFramesAreLeftAlone(t *testing.T) {
	bed := newBed(t)
	table := bed.forward(bed.b, bed.a)
	packet := handover.Segment(netip.AddrPortFrom(bed.client.own[0], 5), web4, handover.FlagACK, 1, 2)
	bed.frame(net.HardwareAddr{2, 0, 0, 0, 0, 9}, packet)
	bed.frame(net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, packet)
	bed.frame(bed.b.MAC(), packet) // it comes after the others, on the same wire
	eventually(t, "the one for B is forwarded", func() bool { return stats(t, table).Forwarded > 0 })
	if st := stats(t, table); st.Forwarded != 1 {
		t.Errorf("%+v; want the one frame for B forwarded, and no other", st)
	}
}

func TestLaterFragmentsStayAndAreCounted(t *testing.T) {
	bed := newBed(t)
	table := bed.forward(bed.b, bed.a)
	later4 := handover.Segment(netip.AddrPortFrom(bed.client.own[0], 5), web4, handover.FlagACK, 1, 2)
	later4[7] = 2 // offset 16
	later4[10], later4[11] = 0, 0
	sum := handover.Checksum(later4[:20])
	later4[10], later4[11] = byte(sum>>8), byte(sum)
	whole6 := handover.Segment(netip.AddrPortFrom(bed.client.own[1], 5), web6, handover.FlagACK, 1, 2)
	fragment := []byte{unix.IPPROTO_TCP, 0, 0, 16, 0, 0, 0, 1}
	later6 := append(append(append([]byte(nil), whole6[:40]...), fragment...), whole6[40:]...)
	later6[5] += byte(len(fragment))
	later6[6] = unix.IPPROTO_FRAGMENT
	bed.frame(bed.b.MAC(), later4)
	bed.frame(bed.b.MAC(), later6)
	eventually(t, "both are counted", func() bool { return stats(t, table).Fragments == 2 })
	if st := stats(t, table); st.Forwarded != 0 {
		t.Errorf("%+v; want none forwarded", st)
	}
}
