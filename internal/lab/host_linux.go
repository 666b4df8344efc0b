package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Host is one machine of a Lab. Its methods may be called from any goroutine.
type Host struct {
	lab     *Lab
	name    string
	number  byte // in its lab, from 1; part of its MACs
	mac     net.HardwareAddr
	running atomic.Pointer[machine] // nil while the power is off

	mu    sync.Mutex // held while power, interfaces or ports change
	nics  []nic      // never empty
	down  bool       // PortDown
	last  *machine   // the one that runs, or that lost its power; nil before the first
	ports []int      // of last, on the switch: their indices
}

// A nic is one interface of a host and the port that it is plugged into. It outlives a power loss.
type nic struct {
	name    string // in the host: eth0, eth1, …
	port    string // on the switch: the host's name, a dot and a number
	segment string
	mac     net.HardwareAddr
	addrs   []netip.Prefix
}

// Name is the host's name and hostname.
func (h *Host) Name() string { return h.name }

// MAC is the address of eth0; it stays the same over PowerOff and PowerOn.
func (h *Host) MAC() net.HardwareAddr { return slices.Clone(h.mac) }

// Attach plugs a further interface (eth1, eth2, …; at most 8 in all) into the named segment and gives it these addresses.
func (h *Host) Attach(segment string, addrs ...netip.Prefix) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.machine(); err != nil {
		return err
	}
	if len(h.nics) == maxNICs {
		return fmt.Errorf("lab: %s: at most %d interfaces are allowed", h.name, maxNICs)
	}
	n := h.newNIC(segment, addrs)
	if err := h.plug(n); err != nil {
		return err
	}
	h.nics = append(h.nics, n)
	return nil
}

func (h *Host) newNIC(segment string, addrs []netip.Prefix) nic {
	i := len(h.nics)
	return nic{
		name:    fmt.Sprintf("eth%d", i),
		port:    fmt.Sprintf("%s.%d", h.name, i),
		segment: segment,
		mac:     net.HardwareAddr{0x02, 'l', 'a', 'b', h.number, byte(i)},
		addrs:   slices.Clone(addrs),
	}
}

// plug makes the cable: a veth pair with one end on the bridge and the other in the host.
func (h *Host) plug(n nic) error {
	bridge := h.lab.segments[n.segment]
	if bridge == 0 {
		return fmt.Errorf("lab: there is no segment %q", n.segment)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.port
	attrs.MasterIndex = bridge
	port := &netlink.Veth{
		LinkAttrs: attrs, PeerName: n.name, PeerHardwareAddr: n.mac,
		PeerNamespace: netlink.NsFd(h.last.net.Fd()),
	}
	err := h.lab.sw.ask(func(nl *netlink.Handle) error { return nl.LinkAdd(port) })
	if err == nil {
		err = h.last.ask(func(nl *netlink.Handle) error { return bringUp(nl, n) })
	}
	if err == nil && !h.down {
		err = h.connect(n)
	}
	if err != nil {
		if port.Index != 0 {
			err = errors.Join(err, h.lab.unplug(port.Index))
		}
		return fmt.Errorf("lab: %s: plug %s into %s: %w", h.name, n.name, n.segment, err)
	}
	h.ports = append(h.ports, port.Index)
	return nil
}

// unplug removes a port, and with it the host's end of the cable.
func (l *Lab) unplug(port int) error {
	return l.sw.ask(func(nl *netlink.Handle) error {
		return nl.LinkDel(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Index: port}})
	})
}

// bringUp is the host's end.
func bringUp(nl *netlink.Handle, n nic) error {
	link, err := nl.LinkByName(n.name)
	if err != nil {
		return err
	}
	for _, p := range n.addrs {
		if !p.IsValid() {
			return fmt.Errorf("address %v is not valid", p)
		}
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := nl.AddrAdd(link, a); err != nil {
			return fmt.Errorf("add %v: %w", p, err)
		}
	}
	return nl.LinkSetUp(link)
}

// machine is what runs now.
func (h *Host) machine() (*machine, error) {
	if m := h.running.Load(); m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrOff, h.name)
}

// Start runs a program in the host, in a session of its own, with /dev/null as its input.
func (h *Host) Start(c Command) (*Process, error) {
	m, err := h.machine()
	if err != nil {
		return nil, err
	}
	return m.start(c)
}

// Do calls f on this goroutine, locked to a thread that is in the host's network namespace meanwhile: sockets that f itself
// makes belong to the host and stay there. Goroutines that f starts do not. Do in a Do works.
func (h *Host) Do(f func() error) error {
	m, err := h.machine()
	if err != nil {
		return err
	}
	return m.do(f)
}

// Dial connects from the host; network is tcp or udp.
func (h *Host) Dial(ctx context.Context, network string, to netip.AddrPort) (c net.Conn, err error) {
	err = h.Do(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, to.String())
		return err
	})
	return c, err
}

// Listen accepts connections in the host; network is tcp.
func (h *Host) Listen(network string, at netip.AddrPort) (l net.Listener, err error) {
	err = h.Do(func() error {
		l, err = net.Listen(network, at.String())
		return err
	})
	return l, err
}

// ListenPacket receives datagrams in the host; network is udp.
func (h *Host) ListenPacket(network string, at netip.AddrPort) (c net.PacketConn, err error) {
	err = h.Do(func() error {
		c, err = net.ListenPacket(network, at.String())
		return err
	})
	return c, err
}

// Addrs asks the kernel for all addresses of the host's interfaces, lo and IPv6 link-local ones left out.
func (h *Host) Addrs() (addrs []netip.Prefix, err error) {
	m, err := h.machine()
	if err != nil {
		return nil, err
	}
	var list []netlink.Addr
	err = m.ask(func(nl *netlink.Handle) (err error) {
		for range 10 { // the list may change while it is read
			if list, err = nl.AddrList(nil, netlink.FAMILY_ALL); !errors.Is(err, netlink.ErrDumpInterrupted) {
				break
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lab: %s: addresses: %w", h.name, err)
	}
	for _, a := range list {
		ip, ok := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		if ip = ip.Unmap(); ok && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			addrs = append(addrs, netip.PrefixFrom(ip, bits))
		}
	}
	return addrs, nil
}

// boot starts a machine and plugs it in. The caller holds h.mu, and nothing runs.
func (h *Host) boot() error {
	if err := h.clear(); err != nil {
		return err
	}
	m, err := newMachine(roleHost, h.name, &h.lab.tasks)
	if err != nil {
		return err
	}
	h.last = m
	for _, n := range h.nics {
		if err := h.plug(n); err != nil {
			return errors.Join(err, h.clear())
		}
	}
	h.running.Store(m)
	return nil
}

// halt kills what runs and waits for its end. The caller holds h.mu.
//
// Ports and namespace stay until the next boot: to remove them the kernel holds a lock of the whole system (rtnl) for several
// milliseconds, in which nobody can add an address; and this is when somebody will, and be timed.
func (h *Host) halt() error {
	h.running.Store(nil)
	if h.last == nil {
		return nil
	}
	h.last.kill()
	return h.last.bury()
}

// clear removes what halt left. The caller holds h.mu.
func (h *Host) clear() error {
	if h.last == nil {
		return nil
	}
	errs := []error{h.halt()}
	for _, port := range h.ports {
		errs = append(errs, h.lab.unplug(port))
	}
	h.last.release()
	h.last, h.ports = nil, nil
	return errors.Join(errs...)
}

// remove ends the host for good; its ports go with the switch.
func (h *Host) remove() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.halt()
	if h.last != nil {
		h.last.release()
		h.last, h.ports = nil, nil
	}
	return err
}
