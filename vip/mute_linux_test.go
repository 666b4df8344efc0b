package vip_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/tandem-lb/tandem/internal/nft"
	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// What only the real kernel can show about muting it.

var bothVIPs = []netip.Addr{viptest.VIP4, viptest.VIP6}

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

// kinds runs f on tables as this kernel has them, and as older ones.
func kinds(t *testing.T, f func(t *testing.T, a, client *kernelHost, node *viptest.Node, cfg vip.Config)) {
	for _, plain := range []bool{false, true} {
		name := "owned"
		if plain {
			name = "plain"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := kernelHosts(t, 2)
			cfg := viptest.Muted(t, h[0], bothVIPs...)
			if plain {
				vip.PlainTables(cfg.Muter)
			}
			node := viptest.Start(t, h[0], cfg)
			check(t, node.Claim(t.Context()))
			check(t, node.Mute(t.Context()))
			if st := node.Status(); !plain && !st.IPv4.Owned {
				t.Skip("this kernel has no owned and persistent tables (Linux 6.9): plain ones are tested")
			}
			f(t, h[0], h[1], node, cfg)
		})
	}
}

// kernelSilent fails if a probe for either VIP is answered.
func kernelSilent(t *testing.T, client *kernelHost) {
	t.Helper()
	for _, addr := range bothVIPs {
		if mac := viptest.Answers(t, client, addr); mac != nil {
			t.Errorf("a probe for %s is answered by %v", addr, mac)
		}
	}
}

func TestFlushingTheRulesetDoesNotUnmute(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, a, client *kernelHost, node *viptest.Node, cfg vip.Config) {
		flush, err := exec.LookPath("nft")
		if err != nil {
			needProgram(t, "nft", "nftables")
		}
		before := node.Status()
		for range 3 {
			check(t, a.Do(func() error { return exec.Command(flush, "flush", "ruleset").Run() }))
			if !before.IPv4.Owned {
				viptest.Eventually(t, "both tables are put back", func() bool {
					now := node.Status()
					return now.IPv4.InForce && now.IPv6.InForce && now.IPv4.Restored > before.IPv4.Restored && now.IPv6.Restored > before.IPv6.Restored
				})
				before = node.Status()
			}
			kernelSilent(t, client)
		}
	})
}

// needProgram skips, or fails where everything is required.
func needProgram(t *testing.T, name, pkg string) {
	t.Helper()
	why := name + " is missing: apt-get install " + pkg
	if os.Getenv("TANDEM_TEST_REQUIRE") == "all" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func TestARemovedRuleIsPutBackAndAnOwnedOneCannotBeRemoved(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, a, client *kernelHost, node *viptest.Node, cfg vip.Config) {
		var other *nft.Conn
		check(t, a.Do(func() (err error) { other, err = nft.Open(); return err }))
		defer other.Close()
		before := node.Status()
		for _, family := range []nft.Family{nft.ARP, nft.IPv6} {
			err := other.Remove(family, vip.TableOf(cfg.Muter))
			if before.IPv4.Owned {
				if !errors.Is(err, nft.ErrOwned) {
					t.Errorf("another process removes the %s table: %v; want ErrOwned", family, err)
				}
				continue
			}
			check(t, err)
			viptest.Eventually(t, "the table is back", func() bool {
				n, err := other.Rules(family, vip.TableOf(cfg.Muter))
				check(t, err)
				return n > 0
			})
		}
		kernelSilent(t, client)
	})
}

func TestThereIsNoUnmutedMomentWhenTheTableIsReplaced(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, a, client *kernelHost, node *viptest.Node, cfg vip.Config) {
		e := listenFor(t, client, a)
		asker, err := client.OpenWire()
		check(t, err)
		defer asker.Close()
		stop, asked := make(chan struct{}), make(chan int)
		go func() {
			n := 0
			defer func() { asked <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, addr := range bothVIPs {
					if asker.Ask(context.Background(), addr) == nil {
						n++
					}
				}
			}
		}()
		for range 100 {
			check(t, cfg.Muter.Mute(t.Context()))
		}
		close(stop)
		if n := <-asked; n < 100 {
			t.Errorf("only %d questions: this proves little", n)
		}
		own := []netip.Addr{a.ownAddr(t, viptest.VIP4), a.ownAddr(t, viptest.VIP6)}
		if said := e.heard(func(f vip.Frame) bool { return slices.Contains(bothVIPs, f.Owner) }); len(said) > 0 {
			t.Errorf("the kernel has answered %d times (own addresses %v), e.g. %+v", len(said), own, said[0])
		}
	})
}

func TestACrashedRunsTableIsTakenOverWithoutAnUnmutedMoment(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, a, client *kernelHost, node *viptest.Node, cfg vip.Config) {
		node.Crash(t)
		kernelSilent(t, client)
		for range 3 {
			next := viptest.Muted(t, a, bothVIPs...)
			next.Adopt = true
			heir := viptest.Start(t, a, next)
			viptest.Eventually(t, "the addresses are adopted", func() bool { return heir.Status().Held })
			if st := heir.Status(); !st.Quiet || !st.IPv4.InForce || !st.IPv6.InForce {
				t.Errorf("adopted: %+v", st)
			}
			kernelSilent(t, client)
			heir.Crash(t)
		}
		kernelSilent(t, client)
	})
}

func TestReleaseAllClearsWhatAGoneTandemLeft(t *testing.T) {
	t.Parallel()
	kinds(t, func(t *testing.T, a, client *kernelHost, node *viptest.Node, cfg vip.Config) {
		release := func() (did []string, err error) {
			t.Helper()
			check(t, a.Do(func() error { did, err = vip.ReleaseAll(t.Context(), bothVIPs...); return nil }))
			return did, err
		}
		if node.Status().IPv4.Owned {
			other := netip.MustParseAddr("10.77.0.200")
			check(t, a.Do(func() error {
				_, err := vip.ReleaseAll(t.Context(), other)
				if !errors.Is(err, nft.ErrOwned) || !strings.Contains(err.Error(), "stop tandem first") {
					t.Errorf("while it runs: %v; want ErrOwned and the remedy", err)
				}
				return nil
			}))
			kernelSilent(t, client)
		}
		node.Crash(t)
		var did []string
		viptest.Eventually(t, "a dead process owns nothing", func() bool { // but for a fork of a test beside this one
			var err error
			did, err = release()
			return err == nil
		})
		for _, want := range []string{"table arp tandem_table", "table ip6 tandem_table", "address 10.77.0.100 from eth0", "address fd77::100 from eth0"} {
			if !slices.ContainsFunc(did, func(line string) bool { return line == "removed nftables "+want || line == "removed "+want }) {
				t.Errorf("did %q; want a line about %s", did, want)
			}
		}
		if did, err := release(); len(did) > 0 || err != nil {
			t.Errorf("again: %q, %v; want nothing", did, err)
		}
		for _, addr := range bothVIPs {
			p := netip.PrefixFrom(addr, addr.BitLen())
			if viptest.Has(t, a, addr) {
				t.Errorf("%s is there", addr)
			}
			check(t, a.AddAddr(p))
			if !viptest.PointsAt(t, client, addr, a) {
				t.Errorf("the kernel is mute about %s still", addr)
			}
		}
		if did, err := release(); len(did) > 0 || err != nil {
			t.Errorf("a permanent address is no business of ours: %q, %v", did, err)
		}
	})
}

func TestWhereNftablesIsRefusedTheLeaseAloneHolds(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, client := h[0], h[1]
	refused := errors.New("operation not supported here")
	cfg := viptest.Muted(t, a, bothVIPs...)
	vip.RefuseTables(cfg.Muter, nft.IPv6, refused)
	node := viptest.Start(t, a, cfg)
	check(t, node.Claim(t.Context()))
	st := node.Status()
	if st.IPv4.Mode != vip.ModeKeeper || !st.IPv4.InForce {
		t.Errorf("IPv4: %+v; want mode keeper", st.IPv4)
	}
	if st.IPv6.Mode != vip.ModeLease || st.IPv6.InForce || !errors.Is(st.IPv6.Err, refused) {
		t.Errorf("IPv6: %+v; want lease only, and why", st.IPv6)
	}
	if got := st.LeaseUntil.Sub(st.Renewed); got != vip.DefaultLease {
		t.Errorf("lease %v, want %v: a part of the group has no other fence", got, vip.DefaultLease)
	}
	for _, addr := range bothVIPs {
		if !viptest.PointsAt(t, client, addr, a) {
			t.Errorf("%s is not answered for", addr)
		}
	}
	if err := node.Mute(t.Context()); !errors.Is(err, vip.ErrLeaseOnly) {
		t.Errorf("Mute: %v; want ErrLeaseOnly", err)
	}
	check(t, node.Release(t.Context()))
	check(t, node.Kill())
	check(t, node.Unmute(t.Context()))
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
		check(t, a.Forget(asker))
		if !viptest.PointsAt(t, client, addr, a) {
			t.Error("the client does not find the VIP")
		}
		viptest.Eventually(t, "the node's cache has who asked, though nothing was sent there", func() bool {
			var n *netlink.Neigh
			check(t, a.Do(func() (err error) { n, err = a.neighbour(asker); return err }))
			return n != nil && slices.Equal(n.HardwareAddr, client.ifi.MAC)
		})
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
