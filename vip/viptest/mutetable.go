package viptest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/vip"
)

// What changes when the kernel is mute and the Claimer answers.
var muteBehaviours = []behaviour{
	{"a claimant answers for a muted address, and nobody does while it is quiet", answered},
	{"who dies lets go at once though the address stays, and nobody sees it again", deadLetsGo},
	{"behind a shut gate nothing is answered, announced or claimed", gateShut},
	{"the gate is told when each question came", toldWhen},
	{"a muted node's own cache follows another node's announcement", ownCache},
	{"a mute left by a killed run is taken over and the addresses are quiet until Resume", adoptedMuted},
	{"a second process can neither mute nor unmute the same group", secondProcess},
	{"after an orderly end the kernel answers as ever", unmuted},
	{"a muted claimant defends its address and sees the station that claims it", defendedMuted},
	{"an address deleted by something else comes back while quiet, without a word", deletedQuiet},
	{"Resolve finds another host's hardware address, and nobody's", resolves},
	{"Solicit makes others speak, and that is remembered by station", solicits},
}

// isAnswered reports whether asking for addr finds the host, by probe and by question.
func isAnswered(t *testing.T, client Host, addr netip.Addr, by Host) bool {
	t.Helper()
	must(t, client.Forget(addr))
	return slices.Equal(Answers(t, client, addr), by.Interface().MAC) && PointsAt(t, client, addr, by)
}

// nobodyAnswers fails unless asking for addr, by probe and by question, finds nobody.
func nobodyAnswers(t *testing.T, client Host, addr netip.Addr) {
	t.Helper()
	must(t, client.Forget(addr))
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if mac, err := client.Resolve(addr); mac != nil || err != nil {
			t.Errorf("a question for %s is answered by %v (%v)", addr, mac, err)
		}
	}()
	if mac := Answers(t, client, addr); mac != nil {
		t.Errorf("a probe for %s is answered by %v", addr, mac)
	}
	<-asked
}

func answered(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	node := Start(t, a, Muted(t, a, addr))
	if err := node.Mute(t.Context()); !errors.Is(err, vip.ErrNotClaimed) {
		t.Errorf("Mute before Claim: %v; want ErrNotClaimed", err)
	}
	must(t, node.Claim(t.Context()))
	st := node.Status()
	family := st.IPv6
	if addr.Is4() {
		family = st.IPv4
	}
	if family.Mode != vip.ModeKeeper || !family.InForce || st.LeaseUntil.Sub(st.Renewed) != vip.MutedLease {
		t.Errorf("status: %+v; want mode keeper, a table in force, and a lease of %v", st, vip.MutedLease)
	}
	for range 3 {
		if !isAnswered(t, client, addr, a) {
			t.Error("the claimant does not answer")
		}
	}
	Eventually(t, "six answers are counted", func() bool { return node.Status().Answered >= 6 })
	must(t, node.Mute(t.Context()))
	must(t, node.Mute(t.Context()))
	before := node.Status()
	if err := node.Announce(t.Context()); !errors.Is(err, vip.ErrNotClaimed) {
		t.Errorf("Announce while quiet: %v; want ErrNotClaimed", err)
	}
	nobodyAnswers(t, client, addr)
	if now := node.Status(); !now.Held || !now.Quiet || !Has(t, a, addr) ||
		now.Announced != before.Announced || now.Answered != before.Answered {
		t.Errorf("quiet: %+v; want held, and nothing said since %+v", now, before)
	}
	must(t, node.Resume(t.Context()))
	if !isAnswered(t, client, addr, a) || node.Status().Quiet || node.Status().Announced == before.Announced {
		t.Errorf("no answer or no announcement after Resume: %+v", node.Status())
	}
	must(t, node.Release(t.Context()))
	nobodyAnswers(t, client, addr)
	if err := node.Resume(t.Context()); !errors.Is(err, vip.ErrNotClaimed) {
		t.Errorf("Resume after Release: %v; want ErrNotClaimed", err)
	}
}

func deadLetsGo(t *testing.T, n Net, addr netip.Addr) {
	a, b, client := n.Host(), n.Host(), n.Host()
	dead := Start(t, a, Muted(t, a, addr))
	heir := Start(t, b, Muted(t, b, addr))
	must(t, dead.Claim(t.Context()))
	Eventually(t, "the client sends to a", func() bool { return PointsAt(t, client, addr, a) })
	dead.Crash(t)
	if !Has(t, a, addr) {
		t.Fatal("the address went with the process: this test proves nothing")
	}
	nobodyAnswers(t, client, addr)
	must(t, heir.Claim(t.Context()))
	Eventually(t, "the client sends to b", func() bool { return PointsAt(t, client, addr, b) })
	for range 20 {
		must(t, client.Forget(addr))
		if !PointsAt(t, client, addr, b) {
			t.Fatal("the client has found the dead owner")
		}
	}
	if !Has(t, a, addr) {
		t.Error("the address has gone meanwhile: this test proves nothing")
	}
}

// gate is a Config.Gate that a test opens and shuts.
type gate struct {
	shut  atomic.Bool
	asked atomic.Int64
}

func (g *gate) allow(time.Time) bool {
	g.asked.Add(1)
	return !g.shut.Load()
}

func gateShut(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	var g gate
	cfg := Muted(t, a, addr)
	cfg.Gate = g.allow
	node := Start(t, a, cfg)
	must(t, node.Claim(t.Context()))
	if !isAnswered(t, client, addr, a) {
		t.Error("no answer through an open gate")
	}
	Eventually(t, "both answers are counted", func() bool { return node.Status().Answered >= 2 })
	g.shut.Store(true)
	before := node.Status()
	nobodyAnswers(t, client, addr)
	if err := node.Announce(t.Context()); !errors.Is(err, vip.ErrGateShut) {
		t.Errorf("Announce: %v; want ErrGateShut", err)
	}
	if now := node.Status(); now.Announced != before.Announced || now.Answered != before.Answered || now.Refused == 0 {
		t.Errorf("behind a shut gate: %+v", now)
	}
	g.shut.Store(false)
	if !isAnswered(t, client, addr, a) {
		t.Error("no answer after the gate was opened again")
	}
	Eventually(t, "what was not announced is", func() bool { return node.Status().Announced > before.Announced })
	must(t, node.Release(t.Context()))
	g.shut.Store(true)
	if err := node.Claim(t.Context()); !errors.Is(err, vip.ErrGateShut) || Has(t, a, addr) || node.Status().Held {
		t.Errorf("Claim: %v, there %v; want ErrGateShut, and nothing left", err, Has(t, a, addr))
	}
}

func toldWhen(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	var claimed atomic.Bool
	var mu sync.Mutex
	var triggers []time.Time
	cfg := Muted(t, a, addr)
	cfg.Gate = func(triggered time.Time) bool {
		if !claimed.Load() {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		triggers = append(triggers, triggered)
		return false
	}
	node := Start(t, a, cfg)
	must(t, node.Claim(t.Context()))
	claimed.Store(true)
	before := time.Now()
	nobodyAnswers(t, client, addr)
	after := time.Now()
	mu.Lock()
	defer mu.Unlock()
	triggers = slices.DeleteFunc(triggers, time.Time.IsZero) // announcements
	for _, at := range triggers {
		if at.Before(before) || at.After(after) {
			t.Errorf("a question came at %v, not between %v and %v", at, before, after)
		}
	}
	if len(triggers) < 3 {
		t.Errorf("the gate was asked about %d questions, want at least 3", len(triggers))
	}
}

func ownCache(t *testing.T, n Net, addr netip.Addr) {
	a, b := n.Host(), n.Host()
	first := Start(t, a, Muted(t, a, addr))
	second := Start(t, b, Muted(t, b, addr))
	must(t, first.Claim(t.Context()))
	if !PointsAt(t, b, addr, a) {
		t.Fatal("b does not find a")
	}
	must(t, first.Release(t.Context()))
	must(t, second.Claim(t.Context()))
	must(t, second.Release(t.Context())) // else b would not ask the segment
	must(t, a.Forget(addr))
	must(t, first.Claim(t.Context()))
	Eventually(t, "b sends to a", func() bool { return PointsAt(t, b, addr, a) })
	must(t, b.Forget(addr))
	c := n.Host()
	third := Start(t, c, Muted(t, c, addr))
	Eventually(t, "b sends to a", func() bool { return PointsAt(t, b, addr, a) })
	must(t, first.Release(t.Context()))
	must(t, third.Claim(t.Context()))
	Eventually(t, "b has learnt from c's announcement", func() bool { return PointsAt(t, b, addr, c) })
}

func adoptedMuted(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	killed := Start(t, a, Muted(t, a, addr))
	must(t, killed.Claim(t.Context()))
	killed.Crash(t)
	cfg := Muted(t, a, addr)
	cfg.Adopt = true
	node := Start(t, a, cfg)
	Eventually(t, "it counts as held", func() bool { return node.Status().Held })
	nobodyAnswers(t, client, addr)
	if st := node.Status(); !st.Quiet || st.Announced != 0 || !Has(t, a, addr) {
		t.Errorf("adopted: %+v; want quiet, and nothing said", st)
	}
	must(t, node.Resume(t.Context()))
	if !isAnswered(t, client, addr, a) {
		t.Error("no answer after Resume")
	}
	node.Crash(t)
	node = Start(t, a, Muted(t, a, addr)) // and this one does not adopt
	Eventually(t, "the stale address is removed", func() bool { return !Has(t, a, addr) })
	must(t, node.Claim(t.Context()))
	if !isAnswered(t, client, addr, a) {
		t.Error("no answer after a Claim that followed a crash")
	}
}

func secondProcess(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	node := Start(t, a, Muted(t, a, addr))
	must(t, node.Claim(t.Context()))
	second := Muted(t, a, addr).Muter
	if err := second.Mute(t.Context()); !errors.Is(err, vip.ErrNotOurs) {
		t.Errorf("Mute by a second process: %v; want ErrNotOurs", err)
	}
	must(t, second.Unmute(t.Context()))
	must(t, second.Close())
	rival := Start(t, a, Muted(t, a, addr))
	if err := rival.Ended(t); !errors.Is(err, vip.ErrNotOurs) {
		t.Errorf("Run of a second process: %v; want ErrNotOurs", err)
	}
	if !Has(t, a, addr) {
		t.Error("the second process has removed the address")
	}
	must(t, node.Mute(t.Context()))
	nobodyAnswers(t, client, addr)
}

func unmuted(t *testing.T, n Net, addr netip.Addr) {
	a, client := n.Host(), n.Host()
	node := Start(t, a, Muted(t, a, addr))
	must(t, node.Claim(t.Context()))
	if err := node.Unmute(t.Context()); err == nil {
		t.Error("Unmute of what is held is no error")
	}
	must(t, node.Kill())
	must(t, node.Release(t.Context()))
	must(t, node.Unmute(t.Context()))
	must(t, node.Unmute(t.Context()))
	p := netip.PrefixFrom(addr, addr.BitLen())
	must(t, a.AddAddr(p))
	if !isAnswered(t, client, addr, a) {
		t.Error("the kernel is still mute")
	}
	must(t, a.DelAddr(p))
}

func defendedMuted(t *testing.T, n Net, addr netip.Addr) {
	a, foe, client := n.Host(), n.Host(), n.Host()
	node := Start(t, a, Muted(t, a, addr))
	must(t, node.Claim(t.Context()))
	Eventually(t, "the client sends to the claimant", func() bool { return PointsAt(t, client, addr, a) })
	shout(t, foe, addr)
	if ev := node.Await(t, vip.Conflict); ev.Addr != addr || !slices.Equal(ev.By, foe.Interface().MAC) {
		t.Errorf("event %+v; want %s claimed by %v", ev, addr, foe.Interface().MAC)
	}
	Eventually(t, "the client sends to the claimant again", func() bool { return PointsAt(t, client, addr, a) })
}

func deletedQuiet(t *testing.T, n Net, addr netip.Addr) {
	a := n.Host()
	node := Start(t, a, Muted(t, a, addr))
	must(t, node.Claim(t.Context()))
	must(t, node.Mute(t.Context()))
	before := node.Status().Announced
	must(t, a.DelAddr(netip.PrefixFrom(addr, addr.BitLen())))
	node.Await(t, vip.Lost)
	if !Has(t, a, addr) || node.Status().Announced != before {
		t.Errorf("put back %v; %d announcements while quiet", Has(t, a, addr), node.Status().Announced-before)
	}
}

func resolves(t *testing.T, n Net, addr netip.Addr) {
	a, b := n.Host(), n.Host()
	node := Start(t, a, holding(addr))
	for _, own := range ownAddrs(t, b, addr) {
		if mac, err := node.Resolve(t.Context(), own); err != nil || !slices.Equal(mac, b.Interface().MAC) {
			t.Errorf("Resolve %s: %v, %v; want %v", own, mac, err, b.Interface().MAC)
		}
	}
	if mac, err := node.Resolve(t.Context(), addr.Next()); mac != nil || err != nil {
		t.Errorf("Resolve of what nobody has: %v, %v", mac, err)
	}
}

// ownAddrs returns the host's own addresses of addr's family and subnet.
func ownAddrs(t *testing.T, h Host, addr netip.Addr) (own []netip.Addr) {
	t.Helper()
	have, err := h.Addrs()
	must(t, err)
	for _, p := range have {
		if p.Contains(addr) && !p.IsSingleIP() {
			own = append(own, p.Addr())
		}
	}
	if len(own) == 0 {
		t.Fatalf("the host has no address in the subnet of %s: %v", addr, have)
	}
	return own
}

func solicits(t *testing.T, n Net, addr netip.Addr) {
	a, b := n.Host(), n.Host()
	node := Start(t, a, holding(addr))
	Eventually(t, "Run is under way", func() bool { return !node.Beat().IsZero() })
	since := time.Now()
	mac, nobody := b.Interface().MAC, net.HardwareAddr(nil)
	Eventually(t, "b is heard", func() bool {
		must(t, node.Solicit(t.Context(), ownAddrs(t, b, addr)...))
		return node.HeardOther(nobody, since)
	})
	spoke := node.SpokeTo(nil, since)
	if len(spoke) != 1 || !bytes.Equal(spoke[0].MAC[:], mac) || !slices.Contains(ownAddrs(t, b, addr), spoke[0].Addr) {
		t.Errorf("who spoke to this node: %+v, want b, %v", spoke, mac)
	}
	if spoke := node.SpokeTo(nil, time.Now().Add(time.Hour)); len(spoke) != 0 {
		t.Errorf("in an hour %+v will have spoken to this node", spoke)
	}
	if st := node.Stations(); st.Count < 1 || st.Newest.Before(since) {
		t.Errorf("stations: %+v", st)
	}
	if node.HeardOther(mac, since) {
		t.Error("heard another than b, and there is none")
	}
	if node.HeardOther(nobody, time.Now().Add(time.Hour)) {
		t.Error("heard from the future")
	}
}
