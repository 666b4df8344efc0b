package e2e

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/testneed"
)

// nft gives a host's firewall the rules, or an order such as "flush ruleset".
func (s *site) nft(host, rules string) {
	s.t.Helper()
	path, err := exec.LookPath("nft")
	if err != nil {
		testneed.Missing(s.t, "nft: apt-get install nftables")
	}
	var out bytes.Buffer
	err = s.hosts[host].Do(func() error {
		cmd := exec.Command(path, "-f", "-")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(rules), &out, &out
		return cmd.Run()
	})
	if err != nil {
		s.t.Fatalf("nft in %s: %v: %s", host, err, out.String())
	}
}

func noFailures(t *testing.T, s *site, f func()) {
	t.Helper()
	tally := s.load(f)
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
}

// Frames pass in one direction between the balancers and not in the other.
func TestE4ACutInOneDirectionMovesNothing(t *testing.T) {
	for _, tc := range []struct {
		name string
		from func(active string) string
	}{
		{"the backup does not hear the active", func(active string) string { return active }},
		{"the active does not hear the backup", other},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, active := newPair(t)
			from := tc.from(active)
			noFailures(t, s, func() {
				if err := s.hosts[from].Drop(s.hosts[other(from)]); err != nil {
					t.Fatal(err)
				}
				s.stays(active, 2*time.Second)
				if err := s.hosts[from].Undrop(s.hosts[other(from)]); err != nil {
					t.Fatal(err)
				}
				s.stays(active, time.Second)
			})
		})
	}
}

// A firewall swallows adverts and the state channel; the wire and the apps are whole.
func TestE4AFirewallOnTheAdvertPathMovesNothing(t *testing.T) {
	s, active := newPair(t)
	noFailures(t, s, func() {
		for _, lb := range balancers {
			s.nft(lb, `table inet wall {
				chain in {
					type filter hook input priority 0
					ip saddr { 192.168.42.11, 192.168.42.12 } udp dport 7947 drop
					tcp dport 7947 drop
				}
			}`)
		}
		s.stays(active, 2*time.Second)
		for _, lb := range balancers {
			s.nft(lb, `delete table inet wall`)
		}
		s.stays(active, time.Second)
	})
}

// A firewall rejects the state port: the connection that stood ends, and the next is refused,
// as if the keeper were dead. But it answers.
func TestE7AFirewallThatRejectsTheStatePortMovesNothing(t *testing.T) {
	s, active := newPair(t)
	for _, lb := range balancers {
		s.nft(lb, `table inet wall {
			chain in {
				type filter hook input priority 0
				tcp dport 7947 reject with tcp reset
			}
		}`)
	}
	noFailures(t, s, func() {
		s.until("a balancer takes its peer's keeper for gone", func() (bool, string) { // by TCP's keep-alive, after 15 s
			return strings.Contains(s.logs[other(active)].tail(), "the keeper of a peer is gone"), "it does not"
		})
		s.stays(active, time.Second)
	})
}

// The ruleset of the active is flushed by somebody who tidies up. It goes on alone to own the
// VIP, and lets go of it when it is killed.
func TestAFlushedRulesetChangesNothing(t *testing.T) {
	s, active := newPair(t)
	noFailures(t, s, func() {
		for range 3 {
			s.nft(active, "flush ruleset")
			s.stays(active, 300*time.Millisecond)
		}
	})
	s.nft(other(active), "flush ruleset")
	killed := time.Now()
	s.kill(s.process(active, "keeper"))
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
	if most := s.mostOwners(killed); most > 1 {
		t.Errorf("the VIP had %d owners at once: the dead one's kernel answers", most)
	}
}

// The active hears nothing, or is heard by nobody, though its port is up: the peer, who is
// better off, takes over, and keeps the VIP when all is well again.
func TestE6AnActiveThatIsHalfDeadOnTheSegmentIsReplaced(t *testing.T) {
	for _, tc := range []struct {
		name      string
		cut, heal func(s *site, host string) error
	}{
		{"it hears nobody", func(s *site, h string) error { return s.hosts[h].Deafen() }, func(s *site, h string) error { return s.hosts[h].Undeafen() }},
		{"nobody hears it", func(s *site, h string) error { return s.hosts[h].Silence() }, func(s *site, h string) error { return s.hosts[h].Unsilence() }},
		{"both", func(s *site, h string) error { return s.hosts[h].Isolate() }, func(s *site, h string) error { return s.hosts[h].Unisolate() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, active := newPair(t)
			cut := time.Now()
			if err := tc.cut(s, active); err != nil {
				t.Fatal(err)
			}
			s.untilOwnedBy(other(active))
			s.untilServedBy("web1", "web2")
			t.Logf("served again %v after the cut", time.Since(cut))
			// Who reaches nobody at all can only find out by itself, a little later: until then both
			// hold the VIP, each where the other is not.
			s.untilNot(active, "active")
			if err := tc.heal(s, active); err != nil {
				t.Fatal(err)
			}
			s.untilBackup(active)
			s.stays(other(active), time.Second)
			s.untilServedBy("web1", "web2")
			if most := s.mostOwners(cut); most > 1 {
				t.Errorf("the VIP had %d owners at once", most)
			}
		})
	}
}

// untilBackup waits until a balancer says that it is backup and knows the other as active.
func (s *site) untilBackup(lb string) {
	s.t.Helper()
	s.until(lb+" knows that it is backup", func() (bool, string) {
		st, err := s.status(lb)
		if err != nil || len(st.Groups) == 0 {
			return false, fmt.Sprint("no status: ", err)
		}
		g := st.Groups[0]
		return g.State == "backup" && g.Active == other(lb), fmt.Sprintf("%+v", g)
	})
}

// The network falls into two halves. Both balancers are active, since neither can know better;
// when it heals one of them stays, and the clients of the other one keep their connections.
func TestE8AHealedPartitionLeavesOneActiveAndBreaksNoConnection(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1", "lb2")
	s.startApp("web1")
	s.startFor("other", vip.String(), "web2") // somebody to be heard on the other side
	s.untilServedBy("web1")
	active := s.untilOwnedBy("")
	s.untilLinked(active)
	here, there := []string{active, "web1", "client"}, []string{other(active), "web2", "web3"}
	r := s.work(client.CrowdConfig{Target: netip.AddrPortFrom(vip, 80), Streams: 20, Uploads: 1}, func() {
		s.between(here, there, (*lab.Host).CutLink)
		s.untilState(other(active), "active")
		s.untilState(active, "active")
		s.untilServedBy("web1")
		s.between(here, there, (*lab.Host).HealLink)
		s.untilState(active, "draining")
		s.untilOwnedBy(other(active))
		s.stays(other(active), time.Second)
	})
	if r.Streams != 20 || r.Uploads != 1 {
		t.Errorf("%d streams and %d uploads, want the same 20 and 1 from beginning to end", r.Streams, r.Uploads)
	}
	s.untilBackup(active)
	s.untilServedBy("web1")
	s.untilClean(active)
	s.untilClean(other(active))
}

// Two halves of a partition heal but for the balancers, who still cannot hear each other: they learn of each other
// through members, and one yields.
func TestE8ActivesMeetThroughMembers(t *testing.T) {
	s := newSite(t)
	active := s.pair()
	here, there := []string{active, "web1", "client"}, []string{other(active), "web2", "web3"}
	s.between(here, there, (*lab.Host).CutLink)
	s.untilState(other(active), "active")
	s.untilState(active, "active")
	s.between(here, there[1:], (*lab.Host).HealLink)
	s.between(here[1:], there[:1], (*lab.Host).HealLink)
	s.stays(s.activeOf("lb1", "lb2"), time.Second)
	s.untilServedBy("web1", "web2")
}

// between does it to each link between one of these hosts and one of those.
func (s *site) between(these, those []string, do func(a, b *lab.Host) error) {
	s.t.Helper()
	for _, a := range these {
		for _, b := range those {
			if err := do(s.hosts[a], s.hosts[b]); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *site) untilState(lb, state string) {
	s.t.Helper()
	s.untilStateIs(lb, lb+" is "+state, func(is string) bool { return is == state })
}

func (s *site) untilNot(lb, state string) {
	s.t.Helper()
	s.untilStateIs(lb, lb+" is not "+state+" any more", func(is string) bool { return is != state })
}

func (s *site) untilStateIs(lb, what string, ok func(state string) bool) {
	s.t.Helper()
	s.until(what, func() (bool, string) {
		st, err := s.status(lb)
		if err != nil || len(st.Groups) == 0 {
			return false, fmt.Sprint("no status: ", err)
		}
		return ok(st.Groups[0].State), st.Groups[0].State
	})
}
