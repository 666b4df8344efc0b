package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/lab"
)

// advertPort is where balancers hear each other.
const advertPort = 7947

// datagram is one of the balancers' datagrams as it went by.
type datagram struct {
	at       time.Time
	from, to netip.Addr
	b        []byte
}

// What kind a datagram is, by its fourth byte.
const (
	kindAdvert   = 1 // sealed, and nothing else
	kindAnswer   = 3
	kindQuestion = 5
	kindHello    = 9
)

func (d datagram) kind() byte { return d.b[3] }

// A tap hears all that a host sends and receives on the adverts' port, as an attacker on the wire would.
type tap struct {
	t   *testing.T
	mu  sync.Mutex // protects got
	got []datagram // the latest, at most tapMax
}

const tapMax = 4096

// tap taps a host until the end of the test.
func (s *site) tap(host string) *tap {
	s.t.Helper()
	var fd int
	err := s.hosts[host].Do(func() error {
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all)); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20000})
	tp, stop, done := &tap{t: s.t}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer unix.Close(fd)
		tp.run(fd, stop)
	}()
	s.t.Cleanup(func() { close(stop); <-done })
	return tp
}

func (tp *tap) run(fd int, stop <-chan struct{}) {
	buf := make([]byte, 2048)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			continue // nothing within 20 ms
		}
		if d, ok := parseUDP(buf[:n]); ok {
			tp.mu.Lock()
			if len(tp.got) >= tapMax {
				tp.got = slices.Delete(tp.got, 0, tapMax/2)
			}
			tp.got = append(tp.got, d)
			tp.mu.Unlock()
		}
	}
}

// parseUDP reads an IPv4 packet that goes to or comes from the adverts' port.
func parseUDP(b []byte) (datagram, bool) {
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != unix.IPPROTO_UDP {
		return datagram{}, false
	}
	head := int(b[0]&15) * 4
	if len(b) < head+8 {
		return datagram{}, false
	}
	udp := b[head:]
	if binary.BigEndian.Uint16(udp) != advertPort && binary.BigEndian.Uint16(udp[2:]) != advertPort {
		return datagram{}, false
	}
	payload := slices.Clone(udp[8:])
	if len(payload) < 36 || payload[0] != 'T' || payload[1] != 'A' {
		return datagram{}, false
	}
	return datagram{time.Now(), netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), payload}, true
}

// last waits for a datagram of that kind that went by since then, and returns the latest.
func (tp *tap) last(kind byte, from, to netip.Addr, since time.Time) []byte {
	tp.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		tp.mu.Lock()
		for _, d := range slices.Backward(tp.got) {
			if d.kind() == kind && d.from == from && d.to == to && d.at.After(since) {
				tp.mu.Unlock()
				return slices.Clone(d.b)
			}
		}
		tp.mu.Unlock()
	}
	tp.t.Fatalf("no datagram of kind %d from %s to %s within %v", kind, from, to, patience)
	return nil
}

// An attacker is a third host that sends datagrams to a balancer's advert port, in its own name or
// in another's.
type attacker struct {
	t  *testing.T
	to netip.Addr
	fd int // raw
	as []netip.Addr
}

func (s *site) attacker(h *lab.Host, to netip.Addr, as ...netip.Addr) *attacker {
	s.t.Helper()
	a := &attacker{t: s.t, to: to, as: as}
	err := h.Do(func() (err error) {
		a.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { unix.Close(a.fd) })
	return a
}

// send sends a datagram once in each name. It never blocks for long: the kernel drops what is too much.
func (a *attacker) send(b []byte) {
	a.t.Helper()
	for _, from := range a.as {
		packet := ipv4UDP(from, a.to, b)
		if err := unix.Sendto(a.fd, packet, 0, &unix.SockaddrInet4{Addr: a.to.As4()}); err != nil && err != unix.ENOBUFS {
			a.t.Fatal(fmt.Errorf("send as %s: %w", from, err))
		}
	}
}

// ipv4UDP wraps a datagram. The kernel fills in the IP checksum; UDP's may be left out.
func ipv4UDP(from, to netip.Addr, b []byte) []byte {
	p := make([]byte, 28, 28+len(b))
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(p[2:], uint16(28+len(b)))
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.AsSlice())
	binary.BigEndian.PutUint16(p[20:], advertPort)
	binary.BigEndian.PutUint16(p[22:], advertPort)
	binary.BigEndian.PutUint16(p[24:], uint16(8+len(b)))
	return append(p, b...)
}
