package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// spread has two VIPs, each in a group of its own, that prefer no node.
const spread = `
[[vip]]
address = "192.168.42.42"
group = "a"
[[vip]]
address = "192.168.42.43"
group = "b"
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
[proxy]
drain_time = "4s"
`

var vipB = netip.MustParseAddr("192.168.42.43")

// states are the states of a balancer's groups, by their order in the file.
func (s *site) states(lb string) string {
	st, err := s.status(lb)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, g := range st.Groups {
		out = append(out, g.State)
	}
	return strings.Join(out, " ")
}

func (s *site) untilStates(one, two string) {
	s.t.Helper()
	s.until(fmt.Sprintf("lb1 is %s, lb2 %s", one, two), func() (bool, string) {
		a, b := s.states("lb1"), s.states("lb2")
		return a == one && b == two, a + "; " + b
	})
}

// Groups that are spread over two nodes move one by one under load. Where the proxy serves
// another group on, connections are not told to end: the drain waits for its deadline, so
// those here end before it by themselves.
func TestGroupsSpreadOverTwoNodesAreMovedAndNothingIsLost(t *testing.T) {
	s := newSite(t)
	s.configured("lb1", spread)
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	s.configured("lb2", spread)
	s.untilStates("active active", "backup backup")
	s.untilPeerFit("lb2")
	s.untilLinked("lb1")
	s.streams(vip, func() {
		s.streams(vipB, func() {
			for _, step := range []struct{ group, to, one, two string }{
				{"b", "lb2", "active backup", "backup active"},
				{"a", "lb2", "backup backup", "active active"},
				{"a", "lb1", "active backup", "backup active"},
				{"b", "lb1", "active active", "backup backup"},
			} {
				if out, err := s.tandem("lb1", "handover", "--group", step.group, "--to", step.to); err != nil || !strings.Contains(out, "no connection was lost") {
					t.Fatalf("handover of %s to %s: %q, %v", step.group, step.to, out, err)
				}
				s.untilStates(step.one, step.two) // with the drain at its end
			}
		})
	})
	s.untilClean("lb1")
}

// untilPeerFit waits until a backup sees the apps up.
func (s *site) untilPeerFit(lb string) {
	s.t.Helper()
	s.until(lb+" sees the apps", func() (bool, string) {
		st, err := s.status(lb)
		if err != nil || len(st.Pools) == 0 || len(st.Pools[0].Backends) < 2 {
			return false, fmt.Sprintf("%+v, %v", st.Pools, err)
		}
		for _, b := range st.Pools[0].Backends {
			if b.State != "up" {
				return false, fmt.Sprintf("%+v", st.Pools)
			}
		}
		return true, ""
	})
}
