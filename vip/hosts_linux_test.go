package vip_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// Who has answered, who has not, and who leads elsewhere, of both families.
func TestTheKernelsHostsOfASegment(t *testing.T) {
	t.Parallel()
	hosts := kernelHosts(t, 2)
	a, b := hosts[0], hosts[1]
	for _, family := range []netip.Addr{viptest.VIP4, viptest.VIP6} {
		answers := b.ownAddr(t, family)
		silent := answers.Next().Next().Next().Next().Next()
		a.ask(t, answers)
		a.ask(t, silent)
		check(t, a.Do(func() error {
			return netlink.RouteAdd(&netlink.Route{LinkIndex: a.ifi.Index, Gw: answers.AsSlice()})
		}))
		viptest.Eventually(t, "one has answered, one is asked in vain, and the first is the gateway", func() bool {
			got := a.segmentHosts(t)
			return slices.Contains(got.Answered, answers) && slices.Contains(got.Unanswered, silent) &&
				!slices.Contains(got.Answered, silent) && !slices.Contains(got.Unanswered, answers) &&
				slices.Contains(got.Gateways, answers)
		})
	}
	if got := a.segmentHosts(t); len(got.Gateways) != 2 {
		t.Errorf("gateways are %v, want one of each family", got.Gateways)
	}
	if got := b.segmentHosts(t); len(got.Gateways) != 0 {
		t.Errorf("gateways are %v where no route leads elsewhere", got.Gateways)
	}
}

func (h *kernelHost) segmentHosts(t *testing.T) (got vip.Hosts) {
	t.Helper()
	check(t, h.Do(func() (err error) {
		got, err = vip.SegmentHosts(h.ifi)
		return err
	}))
	return got
}

// ask makes the kernel look for addr, by a datagram that nobody reads.
func (h *kernelHost) ask(t *testing.T, addr netip.Addr) {
	t.Helper()
	check(t, h.Do(func() error {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 9)))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("?"))
		return err
	}))
}
