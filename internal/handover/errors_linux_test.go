package handover_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/handover"
)

// A router that finds a segment of A's too big tells the VIP, which is B's by now: only A can
// send smaller ones.
func TestAMessageAboutASegmentReachesWhoSentIt(t *testing.T) {
	bed := newBed(t)
	for _, web := range webs {
		bed.point(bed.a)
		old := bed.dial(web)
		old.by(bed.a)
		table := bed.forward(bed.b, bed.a)
		bed.point(bed.b)
		fresh := bed.dial(web)
		fresh.by(bed.b)
		for _, c := range []struct {
			*talk
			held      node
			forwarded uint64
		}{{old, bed.a, 1}, {fresh, bed.b, 1}} {
			const mtu = 1290
			from := addrPort(c.LocalAddr())
			bed.frame(bed.b.MAC(), tooBig(web, from, expected(t, c.TCPConn), mtu))
			bed.frame(bed.b.MAC(), tooBig(web, from, expected(t, c.TCPConn), mtu))
			eventually(t, c.held.Name()+" sends smaller segments to "+from.String(), func() bool { return pathMTU(t, bed.accepted(c.held, from)) == mtu })
			c.by(c.held)
		}
		if st := stats(t, table); st.Errors != 2 {
			t.Errorf("%v: %+v; want the two messages about A's connection sent on, and no other", web, st)
		}
		check(t, table.Close())
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	p := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// tooBig is what a router says about a segment from the VIP to the client (RFC 1191; RFC
// 4443, section 3.2).
func tooBig(web, client netip.AddrPort, seq uint32, mtu uint16) []byte {
	about := handover.Segment(web, client, handover.FlagACK, seq, 0)
	src, dst := client.Addr().AsSlice(), web.Addr().AsSlice()
	if web.Addr().Is4() {
		icmp := append([]byte{3, 4, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, about...)
		binary.BigEndian.PutUint16(icmp[2:], handover.Checksum(icmp))
		ip := []byte{0x45, 0, 0, byte(20 + len(icmp)), 0, 0, 0, 0, 64, unix.IPPROTO_ICMP, 0, 0}
		ip = append(append(ip, src...), dst...)
		binary.BigEndian.PutUint16(ip[10:], handover.Checksum(ip))
		return append(ip, icmp...)
	}
	icmp := append([]byte{2, 0, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, about...)
	pseudo := append(append(append([]byte(nil), src...), dst...), 0, byte(len(icmp)), 0, unix.IPPROTO_ICMPV6)
	binary.BigEndian.PutUint16(icmp[2:], handover.Checksum(append(pseudo, icmp...)))
	ip := []byte{0x60, 0, 0, 0, 0, byte(len(icmp)), unix.IPPROTO_ICMPV6, 64}
	return append(append(append(ip, src...), dst...), icmp...)
}

// expected returns the sequence number that the connection expects next, by the kernel's own
// means of moving a connection (TCP_REPAIR).
func expected(t *testing.T, c *net.TCPConn) (seq uint32) {
	t.Helper()
	const receiveQueue = 1
	withFD(t, c, func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1); err != nil {
			return err
		}
		defer unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, -1) // off, without a probe
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_QUEUE, receiveQueue); err != nil {
			return err
		}
		value, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
		seq = uint32(value)
		return err
	})
	return seq
}

// pathMTU is what the connection believes.
func pathMTU(t *testing.T, c *net.TCPConn) (mtu int) {
	t.Helper()
	withFD(t, c, func(fd int) (err error) {
		level, option := unix.IPPROTO_IP, unix.IP_MTU
		if addrPort(c.RemoteAddr()).Addr().Is6() {
			level, option = unix.IPPROTO_IPV6, unix.IPV6_MTU
		}
		mtu, err = unix.GetsockoptInt(fd, level, option)
		return err
	})
	return mtu
}

func withFD(t *testing.T, c *net.TCPConn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	check(t, err)
	var inner error
	check(t, raw.Control(func(fd uintptr) { inner = f(int(fd)) }))
	check(t, inner)
}
