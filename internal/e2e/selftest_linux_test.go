package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// untilTested waits until a balancer knows whether a handover to its peer loses anything.
func (s *site) untilTested(lb string) (lossless bool, why string) {
	s.t.Helper()
	s.until(lb+" has tested its peer", func() (bool, string) {
		st, err := s.status(lb)
		if err != nil || len(st.Groups) == 0 || len(st.Groups[0].SelfTests) != 1 {
			return false, fmt.Sprintf("%+v, %v", st.Groups, err)
		}
		lossless, why = st.Groups[0].SelfTests[0].Lossless, st.Groups[0].SelfTests[0].Why
		return true, ""
	})
	return lossless, why
}

func TestASelfTestSaysThatAHandoverIsLossless(t *testing.T) {
	s, _ := newKeyedPair(t)
	for _, lb := range balancers {
		if lossless, why := s.untilTested(lb); !lossless {
			t.Errorf("%s finds that a handover would lose connections: %s", lb, why)
		}
	}
}

// guarded are the rules of a hypervisor or switch that lets a port send with its own addresses only.
const guarded = `
table netdev guard {
	chain out {
		type filter hook egress device "eth0" priority 0;
		ip protocol tcp ip saddr != { %s, 192.168.42.42 } drop
	}
}`

// Where addresses are filtered nothing can be forwarded: the handover says so, and breaks
// connections at once instead of leaving them hanging.
func TestAHandoverBehindASourceAddressFilterReleasesFirst(t *testing.T) {
	s := newSite(t)
	for _, lb := range balancers {
		s.nft(lb, fmt.Sprintf(guarded, strings.TrimSuffix(fmt.Sprintf(subnet, numbers[lb]), "/24")))
	}
	active := s.pair()
	for _, lb := range balancers {
		if lossless, why := s.untilTested(lb); lossless || !strings.Contains(why, "filter source addresses") {
			t.Errorf("%s takes a handover for lossless: %v, %q", lb, lossless, why)
		}
	}
	out, err := s.tandem(active, "handover")
	if err != nil || !strings.Contains(out, other(active)+" is active; connections were not kept") {
		t.Errorf("handover: %q, %v; want that it says what was lost", out, err)
	}
	s.untilOwnedBy(other(active))
	s.untilServedBy("web1", "web2")
	s.untilState(active, "backup")
	if out, err := s.tandem(active, "status"); err != nil || !strings.Contains(out, "not lossless") || !strings.Contains(out, "filter source addresses") {
		t.Errorf("status does not say why: %v\n%s", err, out)
	}
}
