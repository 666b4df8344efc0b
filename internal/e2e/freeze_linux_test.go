package e2e

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// A proxy that stands still is killed after twice proxy_timeout: the test must be back before.
const patient = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[proxy]
timeout = "2s"
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
`

// freeze stops a keeper until the VIP has another owner, or none, for a while, and lets it
// go on.
func (s *site) freeze(lb string) (thawed time.Time) {
	s.t.Helper()
	s.signal(lb, syscall.SIGSTOP)
	s.until(lb+" no longer owns the VIP", func() (bool, string) { return s.owner() != lb, "it does" })
	s.signal(lb, syscall.SIGCONT)
	return time.Now()
}

func TestAFrozenKeeperWithoutAPeerOwnsItsVIPAgainOnThaw(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	s.untilOwnedBy("lb1")
	s.freeze("lb1")
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1")
}

func TestAFrozenKeeperWithAPeerIsBackupOnThaw(t *testing.T) {
	s, active := newPair(t)
	frozen := time.Now()
	s.signal(active, syscall.SIGSTOP)
	s.untilOwnedBy(other(active))
	s.signal(active, syscall.SIGCONT)
	s.until(active+" knows that it is backup", func() (bool, string) {
		st, err := s.status(active)
		if err != nil || len(st.Groups) == 0 {
			return false, "no status"
		}
		return st.Groups[0].State == "backup" && st.Groups[0].Active == other(active), st.Groups[0].State
	})
	s.untilServedBy("web1", "web2")
	s.untilOwnedBy(other(active))
	if most := s.mostOwners(frozen); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}

// signalAll sends a signal to all three processes of a balancer, as a hypervisor does that stops
// a machine for a while.
func (s *site) signalAll(lb string, sig syscall.Signal) {
	s.t.Helper()
	for _, name := range []string{"keeper", "control", "proxy"} {
		if err := syscall.Kill(s.process(lb, name), sig); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestE14AFrozenNodeIsBackupOnThaw(t *testing.T) {
	s, active := newPair(t)
	frozen := time.Now()
	s.signalAll(active, syscall.SIGSTOP)
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
	thawed := s.load(func() {
		s.signalAll(active, syscall.SIGCONT)
		s.untilBackup(active)
		s.stays(other(active), time.Second)
	})
	if thawed.Failed != 0 {
		t.Errorf("the thaw cost %d of %d GETs: %v; want none", thawed.Failed, thawed.Requests, thawed.Kinds)
	}
	if most := s.mostOwners(frozen); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}

func TestE3AFrozenProxyHandsTheVIPToAFitPeer(t *testing.T) {
	s, active := newPair(t)
	frozen := time.Now()
	proxy := s.process(active, "proxy")
	if err := syscall.Kill(proxy, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
	syscall.Kill(proxy, syscall.SIGCONT) // if it is there still
	s.stays(other(active), time.Second)
	if most := s.mostOwners(frozen); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}

// A proxy that stands still for a while, as on a machine that is busy with something else, has its
// connections still: the VIP is handed over, and the peer forwards to it what is theirs.
func TestE3AProxyThatStoodStillLosesNoConnection(t *testing.T) {
	s := newSite(t)
	s.conf = patient
	active := s.pair()
	s.untilLinked(active)
	proxy := s.process(active, "proxy")
	r := s.work(client.CrowdConfig{Target: netip.AddrPortFrom(vip, 80), Streams: 20, Uploads: 1}, func() {
		if err := syscall.Kill(proxy, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		s.untilOwnedBy(other(active))
		if err := syscall.Kill(proxy, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		s.untilServedBy("web1", "web2")
	})
	if r.Streams != 20 || r.Uploads != 1 || r.Stall < time.Second {
		t.Errorf("%+v: want the same 20 streams and 1 upload from beginning to end, which stood still for a while", r)
	}
	s.untilBackup(active)
	s.untilClean(active)
	s.untilClean(other(active))
}

func TestE3AFrozenProxyWithoutAPeerIsReplaced(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	if err := syscall.Kill(s.process("lb1", "proxy"), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.untilRestarted("lb1", "proxy", 1)
	s.untilServedBy("web1")
	s.untilOwnedBy("lb1")
}
