package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/lab"
)

// Every host is on a second network too, with IPv4 addresses that come first in every other respect, as Docker's bridges
// do. A pair and apps that join by IPv6 addresses are found at those, and listen there.
func TestMembersOnSeveralNetworksAreReachedOnTheRightOne(t *testing.T) {
	s := newSiteOn(t, lab.Config{Segments: []string{"lan", "apart"}})
	for _, name := range []string{"lb1", "lb2", "web1", "web2"} {
		if err := s.hosts[name].Attach("apart", netip.MustParsePrefix(fmt.Sprintf("10.9.0.%d/24", numbers[name]))); err != nil {
			t.Fatal(err)
		}
	}
	const join = "fd42::b,fd42::c"
	for _, lb := range balancers {
		s.start(lb, "lb", "--vip", vip.String(), "--join", join, "--listen", ":80", "--pool", "web")
	}
	s.startAppJoining(join, "web1")
	s.startAppJoining("fd42::c", "web2")
	for _, lb := range balancers {
		s.until("on "+lb+" all members are where they can be reached", func() (bool, string) {
			out, err := s.tandem(lb, "members")
			for _, addr := range []string{"[fd42::b]:7946", "[fd42::c]:7946", "[fd42::15]:7946", "[fd42::16]:7946"} {
				if !strings.Contains(out, addr) {
					return false, fmt.Sprint(out, err)
				}
			}
			return strings.Count(out, "alive") == 4, fmt.Sprint(out, err)
		})
	}
	s.untilServedBy("web1", "web2")
}
