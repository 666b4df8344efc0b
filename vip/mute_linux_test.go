package vip_test

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/nft"
	"github.com/tandem-lb/tandem/internal/testneed"
	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// What only the real kernel can show about muting it.

var bothVIPs = []netip.Addr{viptest.VIP4, viptest.VIP6}

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
			testneed.Missing(t, "nft: apt-get install nftables")
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
			rules := 0
			back := func() bool {
				n, err := other.Rules(family, vip.TableOf(cfg.Muter))
				check(t, err)
				rules = max(rules, n)
				return n > 0 && n == rules
			}
			viptest.Eventually(t, "the table is back", back)
			b := new(nft.Batch)
			b.Flush(family, vip.TableOf(cfg.Muter))
			check(t, other.Commit(b))
			viptest.Eventually(t, "the rules are back", back)
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
		for range 300 {
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
			more, err := release()
			did = append(did, more...)
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
