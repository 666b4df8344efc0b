package lab

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// PortDown takes the switch's ports to this host down: no frame passes, and the host's interfaces lose their carrier.
// It lasts over a power loss.
func (h *Host) PortDown() error { return h.setPorts(true) }

// PortUp undoes PortDown.
func (h *Host) PortUp() error { return h.setPorts(false) }

func (h *Host) setPorts(down bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	if h.m == nil {
		return nil // PowerOn looks at h.down
	}
	return h.setLinks(down)
}

// setLinks does it. The caller holds h.mu.
func (h *Host) setLinks(down bool) error {
	return h.lab.sw.ask(func(nl *netlink.Handle) error {
		var errs []error
		for _, n := range h.nics {
			port := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: n.port}}
			set := nl.LinkSetUp
			if down {
				set = nl.LinkSetDown
			}
			if err := set(port); err != nil {
				errs = append(errs, fmt.Errorf("lab: port %s: %w", n.port, err))
			}
		}
		return errors.Join(errs...)
	})
}

// PowerOff takes the ports down and then kills everything in the host, as a power loss does: nothing more leaves it, not even a
// FIN. It returns when the last process is gone.
func (h *Host) PowerOff() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m == nil {
		return fmt.Errorf("%w: %s", ErrOff, h.name)
	}
	err := h.setLinks(true)
	h.m.kill()
	return errors.Join(err, h.unplug())
}

// PowerOn brings a fresh host of the same name, addresses and MAC; nothing runs in it until Start.
func (h *Host) PowerOn() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lab.isClosed() {
		return ErrClosed
	}
	if h.m != nil {
		return fmt.Errorf("%w: %s", ErrOn, h.name)
	}
	m, err := newMachine(roleHost, h.name)
	if err != nil {
		return err
	}
	h.m = m
	for _, n := range h.nics {
		if err := h.plug(n); err != nil {
			return errors.Join(err, h.unplug())
		}
	}
	return nil
}
