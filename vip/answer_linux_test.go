package vip_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// What a mute kernel and its neighbours say to each other, heard by a neighbour.

// ear collects what a host hears of one station.
type ear struct {
	mu     sync.Mutex
	frames []vip.Frame
}

// listenFor starts an ear on the host for frames of the other one, until the test ends.
func listenFor(t *testing.T, on, of *kernelHost) *ear {
	t.Helper()
	wire, err := on.OpenWire()
	check(t, err)
	e := new(ear)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { wire.Run(ctx); ended <- struct{}{} }()
	go func() {
		defer func() { ended <- struct{}{} }()
		for {
			select {
			case f := <-wire.Heard():
				if slices.Equal(f.Source, of.ifi.MAC) {
					e.mu.Lock()
					e.frames = append(e.frames, f)
					e.mu.Unlock()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		<-ended
		check(t, wire.Close())
	})
	return e
}

// heard returns the frames so far that fit.
func (e *ear) heard(fits func(vip.Frame) bool) (found []vip.Frame) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.frames {
		if fits(f) {
			found = append(found, f)
		}
	}
	return found
}

// ownAddr returns the host's address in the VIP's subnet.
func (h *kernelHost) ownAddr(t *testing.T, of netip.Addr) netip.Addr {
	t.Helper()
	have, err := h.Addrs()
	check(t, err)
	for _, p := range have {
		if p.Contains(of) && !p.IsSingleIP() {
			return p.Addr()
		}
	}
	t.Fatalf("no address in the subnet of %s: %v", of, have)
	return netip.Addr{}
}

// sayAs sends a datagram from the VIP, so that the kernel asks for the receiver in the VIP's name.
func (h *kernelHost) sayAs(t *testing.T, from, to netip.Addr) {
	t.Helper()
	check(t, h.Forget(to))
	check(t, h.Do(func() error {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("hello"))
		return err
	}))
}

func TestAMutedNodeAsksInItsOwnNameForConnectionsOfTheVIP(t *testing.T) {
	t.Parallel()
	for _, muted := range []bool{false, true} { // false: what is the matter
		for _, addr := range bothVIPs {
			h := kernelHosts(t, 2)
			a, b := h[0], h[1]
			cfg := vip.Config{Addrs: []netip.Addr{addr}}
			if muted {
				cfg = viptest.Muted(t, a, addr)
			}
			node := viptest.Start(t, a, cfg)
			check(t, node.Claim(t.Context()))
			if muted {
				check(t, node.Mute(t.Context())) // no more announcements
			}
			own, err := a.Addrs()
			check(t, err)
			to := b.ownAddr(t, addr)
			e := listenFor(t, b, a)
			a.sayAs(t, addr, to)
			var questions []vip.Frame
			viptest.Eventually(t, "b is asked", func() bool {
				questions = e.heard(func(f vip.Frame) bool { return f.Target == to })
				return len(questions) > 0
			})
			for _, q := range questions { // whose checksum was right, or it would not have been decoded
				isOwn := slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Addr() == q.Owner && !p.IsSingleIP() }) ||
					q.Owner.IsLinkLocalUnicast()
				if isOwn != muted || !muted && q.Owner != addr {
					t.Errorf("muted %v: the question for %s names %s as its sender (own are %v)", muted, to, q.Owner, own)
				}
			}
			viptest.Eventually(t, "the question is answered", func() bool {
				var mac net.HardwareAddr
				check(t, a.Do(func() error {
					n, err := a.neighbour(to)
					if n != nil {
						mac = n.HardwareAddr
					}
					return err
				}))
				return slices.Equal(mac, b.ifi.MAC)
			})
			if said := e.heard(func(f vip.Frame) bool { return f.Owner == addr && f.Target != addr && f.Kind != vip.Advertisement }); muted && len(said) > 0 {
				t.Errorf("a question in the VIP's name went out: %+v", said)
			}
		}
	}
}

func TestConnectionsOfAMutedVIPGoOn(t *testing.T) {
	t.Parallel()
	for _, addr := range bothVIPs {
		h := kernelHosts(t, 2)
		a, client := h[0], h[1]
		node := viptest.Start(t, a, viptest.Muted(t, a, addr))
		check(t, node.Claim(t.Context()))
		at := netip.AddrPortFrom(addr, 80)
		l, err := a.Listen("tcp", at)
		check(t, err)
		t.Cleanup(func() { l.Close() })
		go func() {
			c, err := l.Accept()
			if err == nil {
				io.Copy(c, c)
			}
		}()
		conn, err := client.Dial(t.Context(), "tcp", at)
		check(t, err)
		t.Cleanup(func() { conn.Close() })
		echo := func(when string) {
			t.Helper()
			check(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			if _, err := io.WriteString(conn, "hello"); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
		}
		echo("at first")
		check(t, errors.Join(client.Forget(addr), a.Forget(client.ownAddr(t, addr))))
		echo("after both have forgotten the other's hardware address")
		check(t, node.Mute(t.Context()))
		check(t, a.Forget(client.ownAddr(t, addr)))
		echo("quiet, after the node has forgotten the client's hardware address")
	}
}

// The kernel would answer another node's announcement in the VIP's name, and the two would
// fight over the caches. (It does: see viptest's simulated kernel.)
func TestAMutedKernelDoesNotAnswerAnAnnouncement(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, b := h[0], h[1]
	node := viptest.Start(t, a, viptest.Muted(t, a, bothVIPs...))
	check(t, node.Claim(t.Context()))
	check(t, node.Mute(t.Context()))
	e := listenFor(t, b, a)
	wire, err := b.OpenWire()
	check(t, err)
	defer wire.Close()
	for _, addr := range bothVIPs {
		check(t, wire.Announce(t.Context(), addr))
		check(t, wire.Ask(t.Context(), a.ownAddr(t, addr))) // its answer comes after any to the announcement
		viptest.Eventually(t, "a answers for itself", func() bool {
			return len(e.heard(func(f vip.Frame) bool { return f.Owner == a.ownAddr(t, addr) })) > 0
		})
	}
	if said := e.heard(func(f vip.Frame) bool { return slices.Contains(bothVIPs, f.Owner) }); len(said) > 0 {
		t.Errorf("it answered: %+v", said)
	}
}

func TestAKernelThatAdvertisesWhenItComesUpDoesNotNameAMutedVIP(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, b := h[0], h[1]
	check(t, a.Do(func() error {
		return errors.Join(
			os.WriteFile("/proc/sys/net/ipv6/conf/eth0/ndisc_notify", []byte("1"), 0),
			os.WriteFile("/proc/sys/net/ipv4/conf/eth0/arp_notify", []byte("1"), 0))
	}))
	node := viptest.Start(t, a, viptest.Muted(t, a, bothVIPs...))
	check(t, node.Claim(t.Context()))
	check(t, node.Mute(t.Context()))
	e := listenFor(t, b, a)
	mac := slices.Clone(a.ifi.MAC) // the same again: the kernel tells its neighbours all the same
	check(t, a.Do(func() error { return netlink.LinkSetHardwareAddr(a.device(), mac) }))
	for _, addr := range bothVIPs {
		own := a.ownAddr(t, addr)
		viptest.Eventually(t, "a has told its own address "+own.String(), func() bool {
			return len(e.heard(func(f vip.Frame) bool { return f.Owner == own })) > 0
		})
	}
	if said := e.heard(func(f vip.Frame) bool { return slices.Contains(bothVIPs, f.Owner) }); len(said) > 0 {
		t.Errorf("it named the VIP: %+v", said)
	}
}

func TestAMutedKernelLearnsFromQuestions(t *testing.T) {
	t.Parallel()
	for _, addr := range bothVIPs {
		h := kernelHosts(t, 2)
		a, client := h[0], h[1]
		node := viptest.Start(t, a, viptest.Muted(t, a, addr))
		check(t, node.Claim(t.Context()))
		asker := client.ownAddr(t, addr)
		// The kernel joins the group to which questions for an IPv6 address go a moment after
		// it has the address: the very first question may pass it by.
		viptest.Eventually(t, "the node has learnt "+asker.String()+", who asked for "+addr.String(), func() bool {
			check(t, errors.Join(a.Forget(asker), client.Forget(addr)))
			if !viptest.PointsAt(t, client, addr, a) {
				return false
			}
			var n *netlink.Neigh
			check(t, a.Do(func() (err error) { n, err = a.neighbour(asker); return err }))
			return n != nil && slices.Equal(n.HardwareAddr, client.ifi.MAC)
		})
	}
}

func TestAStrayQuestionIsNotAnswered(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, client := h[0], h[1]
	node := viptest.Start(t, a, viptest.Muted(t, a, theVIP))
	check(t, node.Claim(t.Context()))
	e := listenFor(t, client, a)
	var conn *packet.Conn
	check(t, client.Do(func() (err error) {
		dev := &net.Interface{Index: client.ifi.Index, HardwareAddr: client.ifi.MAC}
		conn, err = packet.Listen(dev, packet.Raw, unix.ETH_P_ARP, nil)
		return err
	}))
	defer conn.Close()
	nobody := net.HardwareAddr{2, 0xde, 0xad, 0xbe, 0xef, 1} // the switch floods what is for it
	request := slices.Concat(nobody, client.ifi.MAC, []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, client.ifi.MAC,
		client.ownAddr(t, theVIP).AsSlice(), make([]byte, 6), theVIP.AsSlice())
	send := func() {
		_, err := conn.WriteTo(request, &packet.Addr{HardwareAddr: request[:6]})
		check(t, err)
	}
	before := node.Status().Answered
	for range 10 {
		send()
	}
	copy(request, a.ifi.MAC) // as a host asks to refresh its cache
	send()
	viptest.Eventually(t, "a question to the node alone is answered", func() bool { return node.Status().Answered > before })
	if got := node.Status().Answered - before; got != 1 {
		t.Errorf("%d answers, want 1: the others were for another station", got)
	}
	if got := e.heard(func(f vip.Frame) bool { return f.Kind == vip.ARPReply && f.Owner == theVIP }); len(got) > 1 {
		t.Errorf("%d replies went out", len(got))
	}
}

// BenchmarkAnswer measures, at the asker, how long a question waits for its answer.
func BenchmarkAnswer(b *testing.B) {
	for _, by := range []string{"kernel", "keeper"} {
		for _, addr := range bothVIPs {
			family := "IPv6"
			if addr.Is4() {
				family = "IPv4"
			}
			b.Run(by+"/"+family, func(b *testing.B) {
				h := kernelHosts(b, 2)
				cfg := vip.Config{Addrs: []netip.Addr{addr}, Lease: time.Minute}
				if by == "keeper" {
					m, err := h[0].OpenMuter("bench", addr)
					check(b, err)
					defer m.Close()
					gate := vip.NewGate(time.Hour, time.Hour)
					gate.Stamp()
					cfg.Muter, cfg.Gate = m, gate.Allow
				}
				link, err := h[0].OpenLink()
				check(b, err)
				defer link.Close()
				wire, err := h[0].OpenWire()
				check(b, err)
				defer wire.Close()
				c, err := vip.NewClaimer(cfg, link, wire, nil)
				check(b, err)
				asker, err := h[1].OpenWire()
				check(b, err)
				defer asker.Close()
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 2)
				go func() { ended <- c.Run(ctx) }()
				go func() { ended <- asker.Run(ctx) }()
				check(b, c.Claim(ctx))
				isAnswer := func(f vip.Frame) bool { return f.Owner == addr && !f.Target.IsValid() }
				var took []time.Duration
				for b.Loop() {
					for len(asker.Heard()) > 0 {
						<-asker.Heard() // announcements
					}
					start := time.Now()
					check(b, asker.Ask(ctx, addr))
					for !isAnswer(<-asker.Heard()) {
					}
					took = append(took, time.Since(start))
					time.Sleep(900 * time.Microsecond) // below the bound of answers for one asker
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
				cancel()
				check(b, <-ended)
				check(b, <-ended)
			})
		}
	}
}
