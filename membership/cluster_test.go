package membership_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/membership"
	"github.com/tandem-lb/tandem/membership/membershiptest"
)

// world is a cluster in fake time.
type world struct {
	t     *testing.T
	net   *membershiptest.Network
	nodes []*node
}

// logs returns what all members have logged, for a test that fails.
func (w *world) logs() string {
	var all strings.Builder
	for _, n := range w.nodes {
		fmt.Fprintf(&all, "--- log of %s\n%s", n.addr, n.logged())
	}
	return all.String()
}

// inWorld runs f in a bubble of fake time.
func inWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(10 * time.Second) }) // at last: memberlist's timers and streams run out
		f(t, &world{t: t, net: membershiptest.New(1)})
	})
}

// node is one member that runs, and what it has been told.
type node struct {
	*membership.Cluster
	w      *world
	addr   string
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	events []membership.Event
	log    bytes.Buffer
}

// lockedLog keeps a log that several goroutines write.
type lockedLog struct{ n *node }

func (l lockedLog) Write(p []byte) (int, error) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	return l.n.log.Write(p)
}

// start runs a member at 10.0.0.<host>. change may be nil.
func (w *world) start(name string, host int, seeds []string, change func(*membership.Config)) *node {
	w.t.Helper()
	return w.startAt(name, fmt.Sprintf("10.0.0.%d", host), seeds, change)
}

// nobodyListens is for worlds so large that their logs would be too long to keep, nobodyCares for those of which the
// events would be too many as well.
var nobodyListens, nobodyCares = slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler)

// startAt runs a member at an address. change may be nil.
func (w *world) startAt(name, addr string, seeds []string, change func(*membership.Config)) *node {
	w.t.Helper()
	n := &node{w: w, addr: addr, ended: make(chan struct{})}
	transport := w.net.Listen(n.addr)
	cfg := membership.Config{
		Name: name, Seeds: seeds, Transport: transport, Exchange: transport.Exchange, Meta: metaOf(name, n.addr),
		Log: slog.New(slog.NewTextHandler(lockedLog{n}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := membership.Open(cfg)
	if err != nil {
		w.t.Fatalf("open %s: %v", name, err)
	}
	n.Cluster = c
	ctx, cancel := context.WithCancel(w.t.Context())
	n.cancel = cancel
	go func() {
		defer close(n.ended)
		if err := c.Run(ctx); err != nil {
			w.t.Errorf("run %s: %v", name, err)
		}
	}()
	go func() {
		for ev := range c.Events() {
			if cfg.Log == nobodyCares {
				continue
			}
			n.mu.Lock()
			n.events = append(n.events, ev)
			n.mu.Unlock()
		}
	}()
	w.t.Cleanup(n.stop)
	w.nodes = append(w.nodes, n)
	return n
}

// metaOf makes names that begin with "lb" balancers.
func metaOf(name, addr string) membership.Meta {
	ip := netip.MustParseAddr(addr)
	if strings.HasPrefix(name, "lb") {
		return membership.Meta{Role: membership.RoleBalancer, AdvertAddr: netip.AddrPortFrom(ip, 7947)}
	}
	return membership.Meta{Role: membership.RoleAgent, Apps: []membership.App{{Pool: "web", Addr: netip.AddrPortFrom(ip, 3000)}}}
}

// stop ends the member without goodbye.
func (n *node) stop() {
	n.Close()
	n.cancel()
	<-n.ended
}

// crash takes the power from its host.
func (n *node) crash() {
	n.w.net.Crash(n.addr)
	n.stop()
}

// sees returns "name:state" of everybody, as this member sees it.
func (n *node) sees() string {
	var all []string
	for _, m := range n.Members() {
		all = append(all, m.Name+":"+m.State.String())
	}
	return strings.Join(all, " ")
}

func (n *node) member(name string) membership.Member {
	for _, m := range n.Members() {
		if m.Name == name {
			return m
		}
	}
	return membership.Member{}
}

// app returns the app of the member called name, as n sees it; the zero App if there is none.
func (n *node) app(name string) membership.App {
	if apps := n.member(name).Meta.Apps; len(apps) > 0 {
		return apps[0]
	}
	return membership.App{}
}

// heard returns "kind name" of every event so far, in order.
func (n *node) heard() []string {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, ev := range n.events {
		all = append(all, ev.Kind.String()+" "+ev.Member.Name)
	}
	return all
}

// heardOf returns the kind of every event so far about one member, in order.
func (n *node) heardOf(name string) []string {
	var kinds []string
	for _, ev := range n.heard() {
		if kind, who, _ := strings.Cut(ev, " "); who == name {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (n *node) logged() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

// within waits for cond, in fake time, and returns how long that took.
func (w *world) within(limit time.Duration, what string, cond func() bool) time.Duration {
	w.t.Helper()
	begun := time.Now()
	for !cond() {
		if time.Since(begun) > limit {
			w.t.Fatalf("not within %v: %s\n%s", limit, what, w.logs())
		}
		time.Sleep(10 * time.Millisecond)
	}
	synctest.Wait()
	return time.Since(begun)
}

// agree waits until all of them see exactly want.
func (w *world) agree(limit time.Duration, want string, nodes ...*node) time.Duration {
	w.t.Helper()
	begun := time.Now()
	for _, n := range nodes {
		for n.sees() != want {
			if time.Since(begun) > limit {
				w.t.Fatalf("after %v %s sees %q, want %q\n%s", limit, n.addr, n.sees(), want, w.logs())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	synctest.Wait()
	return time.Since(begun)
}

var bothSeeds = []string{"10.0.0.11", "10.0.0.12"}

// The lab's own four cases, and every other order of three starts.
func TestStartOrderNeverMatters(t *testing.T) {
	hosts := map[string]int{"lb1": 11, "lb2": 12, "s1": 21, "s2": 22}
	for _, order := range []string{"lb1 lb2 s1 s2", "s1 s2 lb1 lb2", "s1 lb1 s2 lb2", "s1 lb2 lb1 s2", "lb2 s2 s1 lb1"} {
		t.Run(order, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var all []*node
				for _, name := range strings.Fields(order) {
					all = append(all, w.start(name, hosts[name], bothSeeds, nil))
					time.Sleep(7 * time.Second)
				}
				w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive s2:alive", all...)
			})
		})
	}
}

func TestAnAppThatJoinsWhileTheOnlyBalancerIsDownIsFoundWhenItReturns(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		seeds := []string{"10.0.0.11"}
		lb1 := w.start("lb1", 11, seeds, nil)
		s1 := w.start("s1", 21, seeds, nil)
		w.agree(time.Second, "lb1:alive s1:alive", lb1, s1)
		lb1.crash()
		s2 := w.start("s2", 22, seeds, nil)
		time.Sleep(5 * time.Minute)
		lb1 = w.start("lb1", 11, seeds, nil)
		took := w.agree(2*time.Second, "lb1:alive s1:alive s2:alive", lb1, s1, s2)
		t.Logf("all there %v after the balancer came back", took)
	})
}

func TestACrashIsSeenAndTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		s1.crash()
		took := w.agree(3*time.Second, "lb1:alive lb2:alive s1:failed", lb1, lb2)
		t.Logf("seen after %v", took)
		for _, n := range []*node{lb1, lb2} {
			if got := n.heard(); got[len(got)-1] != "failed s1" {
				t.Errorf("%s heard %q, want failed s1 at the end", n.addr, got)
			}
		}
	})
}

func TestWhoLeavesHasLeftAndMayComeBackAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		begun := time.Now()
		if err := s1.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("leaving took %v", time.Since(begun))
		w.agree(0, "lb1:alive lb2:alive s1:left", lb1, lb2)
		s1.stop()
		s1 = w.start("s1", 21, bothSeeds, nil)
		took := w.agree(500*time.Millisecond, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		t.Logf("back after %v", took)
		time.Sleep(10 * time.Second)
		for _, n := range []*node{lb1, lb2} {
			if got := strings.Join(n.heardOf("s1"), ", "); got != "join, leave, join" {
				t.Errorf("%s heard of s1: %q", n.addr, got)
			}
		}
	})
}

// memberlist forgets a dead member after 30 s and never tries again.
func TestALongPartitionHealsByItself(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		s2 := w.start("s2", 22, bothSeeds, nil)
		all := "lb1:alive lb2:alive s1:alive s2:alive"
		w.agree(2*time.Second, all, lb1, lb2, s1, s2)
		w.net.Partition([]string{lb1.addr, s1.addr}, []string{lb2.addr, s2.addr})
		w.agree(5*time.Second, "lb1:alive lb2:failed s1:alive s2:failed", lb1, s1)
		w.agree(5*time.Second, "lb1:failed lb2:alive s1:failed s2:alive", lb2, s2)
		time.Sleep(10 * time.Minute)
		w.net.Heal()
		took := w.agree(15*time.Second, all, lb1, lb2, s1, s2)
		t.Logf("healed after %v", took)
	})
}

func TestAMemberRestartedAtItsAddressIsSeenAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		s1.stop() // killed
		w.start("s1", 21, bothSeeds, func(cfg *membership.Config) { cfg.Meta.Version = "2" })
		w.within(100*time.Millisecond, "lb1 knows the new run", func() bool { return lb1.member("s1").Meta.Version == "2" })
		time.Sleep(time.Minute)
		if got := strings.Join(lb1.heardOf("s1"), ", "); got != "join, update" {
			t.Errorf("lb1 heard of s1 %q: a restart is an update and nothing else", got)
		}
	})
}

func TestTheSameNameAtANewAddressIsNoConflict(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		s1.crash() // the container is killed
		s1 = w.start("s1", 31, bothSeeds, nil)
		took := w.within(2*time.Second, "both balancers use the new address", func() bool {
			return lb1.member("s1").Addr.String() == "10.0.0.31" && lb2.member("s1").Addr.String() == "10.0.0.31"
		})
		t.Logf("new address in use after %v", took)
		time.Sleep(2 * time.Minute)
		for _, n := range []*node{lb1, lb2, s1} {
			for _, ev := range n.heard() {
				if strings.HasPrefix(ev, "conflict") || ev == "failed s1" || ev == "leave s1" {
					t.Errorf("%s heard %q", n.addr, ev)
				}
			}
		}
	})
}

func TestTwoLiveMembersOfOneNameAreAConflictThatBothAreTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		a := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, a)
		b := w.start("s1", 22, bothSeeds, nil)
		time.Sleep(time.Minute)
		for _, n := range []*node{lb1, a, b} {
			count := 0
			for _, ev := range n.heard() {
				if ev == "conflict s1" {
					count++
				}
			}
			if count != 1 {
				t.Errorf("%s heard of %d conflicts, want 1: %q", n.addr, count, n.heard())
			}
		}
		for _, n := range []*node{a, b} {
			if !strings.Contains(n.logged(), "level=ERROR msg=\"another live member uses this node's name") {
				t.Errorf("no error in the log of %s", n.addr)
			}
		}
		if got := lb1.member("s1").Addr.String(); got != a.addr {
			t.Errorf("lb1 shows the run at %s; the first, at %s, must stay", got, a.addr)
		}
		a.Leave(t.Context())
		w.within(time.Second, "the second takes the place of the first", func() bool { return lb1.member("s1").Addr.String() == b.addr })
	})
}

func TestAWrongKeyNeverJoinsAndSaysSo(t *testing.T) {
	keyA, keyB := bytes.Repeat([]byte("a"), 32), bytes.Repeat([]byte("b"), 32)
	for _, tc := range []struct {
		name       string
		ours, hers [][]byte
		joins      bool
	}{
		{"another key", [][]byte{keyA}, [][]byte{keyB}, false},
		{"no key there", [][]byte{keyA}, nil, false},
		{"no key here", nil, [][]byte{keyB}, false},
		{"rotation: both accept both", [][]byte{keyA, keyB}, [][]byte{keyB, keyA}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				lb1 := w.start("lb1", 11, bothSeeds, func(cfg *membership.Config) { cfg.Keys = tc.ours })
				s1 := w.start("s1", 21, bothSeeds, func(cfg *membership.Config) { cfg.Keys = tc.hers })
				time.Sleep(10 * time.Second)
				if joined := s1.sees() == "lb1:alive s1:alive" && lb1.sees() == s1.sees(); joined != tc.joins {
					t.Fatalf("joined %v, want %v: %s", joined, tc.joins, s1.sees())
				}
				if tc.joins {
					return
				}
				if err := s1.Join(t.Context(), "10.0.0.11"); !errors.Is(err, membership.ErrWrongKey) {
					t.Errorf("Join says %v, want ErrWrongKey", err)
				}
				if !strings.Contains(s1.logged(), "level=ERROR msg=\"cannot join: the other side uses another gossip key") {
					t.Errorf("the log does not name the key:\n%s", s1.logged())
				}
			})
		})
	}
}
