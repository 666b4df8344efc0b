package vip_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

func TestClaimerOnTheRealKernel(t *testing.T) {
	lab.Need(t)
	viptest.Run(t, func(t *testing.T, body func(*testing.T, viptest.Net)) {
		t.Parallel()
		body(t, newKernelNet(t))
	})
}

// kernelNet is a lab: namespaces joined by a bridge.
type kernelNet struct {
	t     testing.TB
	lab   *lab.Lab
	hosts int
}

func newKernelNet(t testing.TB) *kernelNet {
	t.Helper()
	l, err := lab.New(lab.Config{})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	return &kernelNet{t: t, lab: l}
}

// Host implements viptest.Net: 10.77.0.n/24 and fd77::n/64.
func (n *kernelNet) Host() viptest.Host { return n.host() }

func (n *kernelNet) host() *kernelHost {
	n.t.Helper()
	n.hosts++
	h, err := n.lab.Host(fmt.Sprintf("h%d", n.hosts),
		netip.MustParsePrefix(fmt.Sprintf("10.77.0.%d/24", n.hosts)),
		netip.MustParsePrefix(fmt.Sprintf("fd77::%d/64", n.hosts)))
	check(n.t, err)
	k := &kernelHost{Host: h}
	check(n.t, h.Do(func() (err error) {
		// A host that asks for what nobody has gives up after three tries; not in 3 s, for the tests' sake.
		for _, family := range []string{"ipv4", "ipv6"} {
			err = errors.Join(err, os.WriteFile("/proc/sys/net/"+family+"/neigh/eth0/retrans_time_ms", []byte("100"), 0))
		}
		var findErr error
		k.ifi, findErr = vip.Find(viptest.VIP4, "")
		return errors.Join(err, findErr)
	}))
	return k
}

// kernelHost is one namespace of a lab, seen by the table.
type kernelHost struct {
	*lab.Host
	ifi vip.Interface
}

var _ viptest.Host = (*kernelHost)(nil)

func (h *kernelHost) Interface() vip.Interface { return h.ifi }

func (h *kernelHost) OpenLink() (link vip.Link, err error) {
	err = h.Do(func() error { link, err = vip.OpenLink(h.ifi); return err })
	return link, err
}

func (h *kernelHost) OpenWire() (wire vip.Wire, err error) {
	err = h.Do(func() error { wire, err = vip.OpenWire(h.ifi); return err })
	return wire, err
}

func (h *kernelHost) OpenMuter(group string, addrs ...netip.Addr) (m vip.Muter, err error) {
	err = h.Do(func() error { m, err = vip.OpenMuter(h.ifi, group, addrs...); return err })
	return m, err
}

func (h *kernelHost) AddAddr(p netip.Prefix) error {
	return h.Do(func() error { return netlink.AddrAdd(h.device(), kernelAddr(p)) })
}

func (h *kernelHost) DelAddr(p netip.Prefix) error {
	return h.Do(func() error { return netlink.AddrDel(h.device(), kernelAddr(p)) })
}

func (h *kernelHost) SetCarrier(up bool) error {
	if up {
		return h.PortUp()
	}
	return h.PortDown()
}

// Resolve sends a datagram to the discard port and reads the neighbour cache.
func (h *kernelHost) Resolve(addr netip.Addr) (mac net.HardwareAddr, err error) {
	err = h.Do(func() error {
		conn, err := net.Dial("udp", netip.AddrPortFrom(addr, 9).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("hello")); err != nil {
			return err
		}
		for range 100 { // an answer takes microseconds; two seconds are for a busy machine
			n, err := h.neighbour(addr)
			if err != nil {
				return err
			}
			switch {
			case n == nil || n.State == unix.NUD_FAILED:
				return nil
			case n.State != unix.NUD_INCOMPLETE:
				mac = n.HardwareAddr
				return nil
			}
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	return mac, err
}

// neighbour returns the cache's entry for addr, or nil.
func (h *kernelHost) neighbour(addr netip.Addr) (*netlink.Neigh, error) {
	list, err := netlink.NeighList(h.ifi.Index, netlink.FAMILY_ALL)
	for _, n := range list {
		if ip, _ := netip.AddrFromSlice(n.IP); ip.Unmap() == addr {
			return &n, err
		}
	}
	return nil, err
}

func (h *kernelHost) Forget(addr netip.Addr) error {
	return h.Do(func() error {
		n, err := h.neighbour(addr)
		if err != nil || n == nil {
			return err
		}
		return netlink.NeighDel(n)
	})
}

func (h *kernelHost) device() netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: h.ifi.Index}}
}

func kernelAddr(p netip.Prefix) *netlink.Addr {
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}
