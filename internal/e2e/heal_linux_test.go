package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
)

// An app and a balancer are cut off the other two for so long that each side gives the other up. When the halves meet
// again, everybody is there again by itself, and both apps are served.
func TestMembersOfAHealedPartitionFindEachOtherAgain(t *testing.T) {
	s := newSite(t)
	s.pair()
	here, there := []string{"lb1", "web1"}, []string{"lb2", "web2"}
	for _, a := range here {
		for _, b := range there {
			if err := s.hosts[a].CutLink(s.hosts[b]); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.untilMembers("lb1", map[string]string{"lb1": "alive", "lb2": "failed", "web1-3000": "alive", "web2-3000": "failed"})
	s.untilMembers("lb2", map[string]string{"lb1": "failed", "lb2": "alive", "web1-3000": "failed", "web2-3000": "alive"})
	for _, a := range here {
		for _, b := range there {
			if err := s.hosts[a].HealLink(s.hosts[b]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, lb := range balancers {
		s.untilMembers(lb, map[string]string{"lb1": "alive", "lb2": "alive", "web1-3000": "alive", "web2-3000": "alive"})
	}
	s.untilServedBy("web1", "web2")
}

// untilMembers waits until a balancer sees each member in that state.
func (s *site) untilMembers(lb string, want map[string]string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s sees %v", lb, want), func() (bool, string) {
		out, err := s.tandem(lb, "members", "--json")
		var members []struct{ Name, State string }
		if err == nil {
			err = json.Unmarshal([]byte(out), &members)
		}
		seen := map[string]string{}
		for _, m := range members {
			seen[m.Name] = m.State
		}
		for name, state := range want {
			if seen[name] != state {
				return false, fmt.Sprint(seen, err)
			}
		}
		return true, ""
	})
}
