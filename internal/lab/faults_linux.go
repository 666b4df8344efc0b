package lab

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// carrierLimit is how long a port may take to forward; a few milliseconds are usual.
const carrierLimit = 10 * time.Second

// PortDown takes the switch's ports to this host down: no frame passes, and the host's interfaces lose their carrier.
// It lasts over a power loss.
func (h *Host) PortDown() error { return h.setPorts(true) }

// PortUp undoes PortDown.
func (h *Host) PortUp() error { return h.setPorts(false) }

func (h *Host) setPorts(down bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	if h.running.Load() == nil {
		return nil // PowerOn looks at h.down
	}
	var errs []error
	if down {
		errs = append(errs, h.lab.sw.do(func() error { return silence(h.ports) })) // all at the same instant
	}
	for _, n := range h.nics {
		var err error
		if down {
			err = h.lab.sw.ask(func(nl *netlink.Handle) error {
				return nl.LinkSetDown(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: n.port}})
			})
		} else {
			err = h.connect(n)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("lab: port %s: %w", n.port, err))
		}
	}
	return errors.Join(errs...)
}

// connect brings a port up and waits until frames pass. The kernel notices a carrier in a work queue of its own; what is sent
// before that is lost, and a lost ARP request costs a whole second.
func (h *Host) connect(n nic) error {
	err := h.lab.sw.ask(func(nl *netlink.Handle) error {
		return nl.LinkSetUp(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: n.port}})
	})
	if err != nil {
		return err
	}
	for end := time.Now().Add(carrierLimit); time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
		var port, host bool
		err := errors.Join(
			h.lab.sw.ask(func(nl *netlink.Handle) (err error) { port, err = usable(nl, n.port); return err }),
			h.last.ask(func(nl *netlink.Handle) (err error) { host, err = usable(nl, n.name); return err }))
		if err != nil || port && host {
			return err
		}
	}
	return fmt.Errorf("no carrier within %v (was %s taken down in the host?)", carrierLimit, n.name)
}

// usable says whether a link has a carrier and its addresses may be used (IPv6 ones are tentative at first, even without DAD).
func usable(nl *netlink.Handle, name string) (bool, error) {
	link, err := nl.LinkByName(name)
	if err != nil || link.Attrs().OperState != netlink.OperUp {
		return false, err
	}
	addrs, err := nl.AddrList(link, netlink.FAMILY_V6)
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, nil // something changed meanwhile: look again
	}
	for _, a := range addrs {
		if a.Flags&unix.IFA_F_TENTATIVE != 0 {
			return false, err
		}
	}
	return true, err
}

// PowerOff cuts the host off and kills everything in it, as a power loss does: nothing more leaves it, not even a FIN. It returns
// when the last process is gone. Sockets that this process made in the host with Do, Dial or Listen stay open, and mute.
func (h *Host) PowerOff() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.machine(); err != nil {
		return err
	}
	err := h.lab.sw.do(func() error { return silence(h.ports) })
	if err != nil {
		err = fmt.Errorf("lab: %s: silence ports: %w", h.name, err)
	}
	return errors.Join(err, h.halt())
}

// PowerOn brings a fresh host of the same name, addresses and MAC; nothing runs in it until Start.
func (h *Host) PowerOn() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lab.isClosed() {
		return ErrClosed
	}
	if h.running.Load() != nil {
		return fmt.Errorf("%w: %s", ErrOn, h.name)
	}
	return h.boot()
}

// silence makes bridge ports neither forward nor accept frames from now on, as "ip link set … type bridge_slave state 0" does. That
// is a matter of microseconds; taking a link down waits for every processor (RCU), 20 ms at times.
func silence(ports []int) error {
	for _, port := range ports {
		r := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
		link := nl.NewIfInfomsg(unix.AF_BRIDGE)
		link.Index = int32(port)
		r.AddData(link)
		bridgePort := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
		bridgePort.AddRtAttr(nl.IFLA_BRPORT_STATE, nl.Uint8Attr(0)) // BR_STATE_DISABLED
		r.AddData(bridgePort)
		if _, err := r.Execute(unix.NETLINK_ROUTE, 0); err != nil && !errors.Is(err, unix.ENETDOWN) {
			return err
		}
	}
	return nil
}
