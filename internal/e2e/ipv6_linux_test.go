package e2e

import (
	"fmt"
	"syscall"
	"testing"
)

// until6 waits until requests to the IPv6 VIP are answered, by the one balancer that holds it.
func (s *site) until6(lb string) {
	s.t.Helper()
	s.until("requests to "+vip6.String()+" are answered by "+lb, func() (bool, string) {
		if _, err := s.getFrom(vip6); err != nil {
			return false, err.Error()
		}
		st, err := s.status(lb)
		if err != nil {
			return false, err.Error()
		}
		held := 0
		for _, g := range st.Groups {
			if g.State == "active" {
				held++
			}
		}
		return held == len(st.Groups), fmt.Sprintf("%+v", st.Groups)
	})
}

// A group with a VIP of each family moves as one, by a death and by an orderly end.
func TestAnIPv6VIPMovesWithItsGroup(t *testing.T) {
	s := newSite(t)
	s.extra = []string{"--vip", vip6.String()}
	active := s.pair()
	s.until6(active)
	s.kill(s.process(active, "keeper"))
	s.untilOwnedBy(other(active))
	s.until6(other(active))
	s.startLB(active)
	s.untilBackup(active)
	s.signal(other(active), syscall.SIGTERM)
	s.untilOwnedBy(active)
	s.until6(active)
}

// A group of an IPv6 VIP alone.
func TestAnIPv6VIPAlone(t *testing.T) {
	s := newSite(t)
	for _, lb := range balancers {
		s.start(lb, "lb", "--vip", vip6.String(), "--join", "192.168.42.11,192.168.42.12", "--listen", ":80", "--pool", "web")
	}
	s.startAppJoining("192.168.42.11,192.168.42.12", "web1", "web2")
	active := s.activeOf(balancers...)
	s.until6(active)
	if err := s.hosts[active].PortDown(); err != nil {
		t.Fatal(err)
	}
	s.until6(other(active))
	if err := s.hosts[active].PortUp(); err != nil {
		t.Fatal(err)
	}
	s.untilBackup(active)
	s.until6(other(active))
}

// activeOf waits until exactly one of these says that it is active, and returns it.
func (s *site) activeOf(lbs ...string) (active string) {
	s.t.Helper()
	s.until("one balancer is active", func() (bool, string) {
		var found []string
		for _, lb := range lbs {
			if st, err := s.status(lb); err == nil && len(st.Groups) > 0 && st.Groups[0].State == "active" {
				found = append(found, lb)
			}
		}
		if len(found) == 1 {
			active = found[0]
		}
		return len(found) == 1, fmt.Sprint(found)
	})
	return active
}
