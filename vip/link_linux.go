package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// kernelLink is the interface as netlink shows it.
type kernelLink struct {
	ifi     Interface
	handle  *netlink.Handle   // for requests
	changes *nl.NetlinkSocket // for notifications; open from the start so that none is missed
	watched atomic.Bool

	// mu is held shared by requests and for good by Close. After its Close the
	// library's handle would quietly open a socket in whatever namespace the
	// thread is in.
	mu     sync.RWMutex
	closed bool
}

var _ Link = (*kernelLink)(nil)

// OpenLink opens netlink sockets in the calling thread's network namespace. It
// needs CAP_NET_ADMIN as soon as something is to be changed.
func OpenLink(ifi Interface) (Link, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("vip: opening netlink: %w", err)
	}
	if err := handle.SetSocketTimeout(netlinkTimeout); err != nil {
		handle.Close()
		return nil, fmt.Errorf("vip: netlink timeout: %w", err)
	}
	changes, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("vip: subscribing to netlink: %w", err)
	}
	return &kernelLink{ifi: ifi, handle: handle, changes: changes}, nil
}

// State implements Link.
func (l *kernelLink) State(ctx context.Context) (LinkState, error) {
	if err := l.use(ctx); err != nil {
		return LinkState{}, err
	}
	defer l.mu.RUnlock()
	dev, err := l.handle.LinkByIndex(l.ifi.Index)
	if err != nil {
		return LinkState{}, l.wrap("reading", err)
	}
	addrs, err := l.list(dev)
	if err != nil {
		return LinkState{}, l.wrap("listing addresses", err)
	}
	st := LinkState{Carrier: hasCarrier(dev.Attrs().RawFlags)}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			continue
		}
		bits, _ := a.Mask.Size()
		st.Addrs = append(st.Addrs, Address{Prefix: netip.PrefixFrom(ip.Unmap(), bits), Lease: leaseOf(a.ValidLft)})
	}
	return st, nil
}

// list dumps the addresses. A dump during which another address of the node
// changed is interrupted and repeated; on a host where they change all the time
// the last one must do, since it may lack an address but the lease cannot wait.
func (l *kernelLink) list(dev netlink.Link) (addrs []netlink.Addr, err error) {
	for range 3 {
		addrs, err = l.handle.AddrList(dev, netlink.FAMILY_ALL)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return addrs, err
		}
	}
	return addrs, nil
}

// leaseOf reads valid_lft: INFINITY_LIFE_TIME arrives as -1 or as 2^32 - 1,
// according to the size of int.
func leaseOf(validLft int) time.Duration {
	if uint32(validLft) == infinityLifeTime {
		return 0
	}
	return max(1, time.Duration(validLft)) * time.Second
}

// infinityLifeTime is INFINITY_LIFE_TIME of the kernel's addrconf.h.
const infinityLifeTime = 1<<32 - 1

// hasCarrier asks for both flags: IFF_LOWER_UP alone stays set for a moment when
// the interface is taken down.
func hasCarrier(flags uint32) bool {
	const both = unix.IFF_UP | unix.IFF_LOWER_UP
	return flags&both == both
}

// Add implements Link. It is one request: RTM_NEWADDR with NLM_F_REPLACE.
func (l *kernelLink) Add(ctx context.Context, addr netip.Prefix, lease time.Duration) error {
	if err := l.use(ctx); err != nil {
		return err
	}
	defer l.mu.RUnlock()
	a := kernelAddr(addr)
	a.ValidLft = int(lease / time.Second)
	a.PreferedLft = 0 // deprecated from the start: no source address for the node's own connections
	if addr.Addr().Is6() {
		// Duplicate address detection would keep the address unusable for a second,
		// or for good if the former owner still answers.
		a.Flags = unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE
	}
	return l.wrap("adding "+addr.String(), l.handle.AddrReplace(l.device(), a))
}

// Del implements Link.
func (l *kernelLink) Del(ctx context.Context, addr netip.Prefix) error {
	if err := l.use(ctx); err != nil {
		return err
	}
	defer l.mu.RUnlock()
	err := l.handle.AddrDel(l.device(), kernelAddr(addr))
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil // it is not there, which is what was asked for
	}
	return l.wrap("deleting "+addr.String(), err)
}

// Watch implements Link. The reader ends with ctx by closing the socket; there is
// no other way to end a read, which is why there is one Watch per Link.
func (l *kernelLink) Watch(ctx context.Context) (<-chan LinkEvent, error) {
	if l.watched.Swap(true) {
		return nil, l.wrap("watching", errors.New("it is watched already"))
	}
	if err := l.use(ctx); err != nil {
		return nil, err
	}
	defer l.mu.RUnlock()
	events := make(chan LinkEvent, watchQueue)
	stop := context.AfterFunc(ctx, l.changes.Close)
	go func() {
		defer close(events)
		defer stop()
		l.watch(ctx, events)
	}()
	return events, nil
}

// watch translates notifications until the socket is closed. A slow reader lets
// the socket's buffer overflow, which the kernel reports as ENOBUFS.
func (l *kernelLink) watch(ctx context.Context, events chan<- LinkEvent) {
	for {
		msgs, from, err := l.changes.Receive()
		var news []LinkEvent
		switch {
		case errors.Is(err, unix.ENOBUFS):
			news = []LinkEvent{{EventsMissed}}
		case errors.Is(err, unix.EINTR):
		case err != nil: // closed
			return
		case from.Pid == nl.PidKernel:
			news = l.translate(msgs)
		}
		for _, ev := range news {
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}
}

// translate picks what concerns this interface.
func (l *kernelLink) translate(msgs []syscall.NetlinkMessage) []LinkEvent {
	var news []LinkEvent
	for _, m := range msgs {
		switch m.Header.Type {
		case unix.RTM_DELADDR:
			if len(m.Data) >= unix.SizeofIfAddrmsg && int(nl.DeserializeIfAddrmsg(m.Data).Index) == l.ifi.Index {
				news = append(news, LinkEvent{AddrGone})
			}
		case unix.RTM_NEWLINK, unix.RTM_DELLINK:
			if len(m.Data) < unix.SizeofIfInfomsg {
				continue
			}
			info := nl.DeserializeIfInfomsg(m.Data)
			// A port that leaves a bridge sends RTM_DELLINK of that family.
			if int(info.Index) != l.ifi.Index || info.Family != unix.AF_UNSPEC {
				continue
			}
			change := CarrierLost
			if m.Header.Type == unix.RTM_NEWLINK && hasCarrier(info.Flags) {
				change = CarrierFound
			}
			news = append(news, LinkEvent{change})
		}
	}
	return news
}

// Close implements Link.
func (l *kernelLink) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.changes.Close()
	l.handle.Close()
	return nil
}

// use takes mu shared, unless the Link is closed or ctx has ended.
func (l *kernelLink) use(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.RLock()
	if l.closed {
		l.mu.RUnlock()
		return ErrClosed
	}
	return nil
}

// wrap names the place, and the remedy where there is one.
func (l *kernelLink) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	var gone netlink.LinkNotFoundError
	switch {
	case errors.As(err, &gone) || errors.Is(err, unix.ENODEV):
		err = fmt.Errorf("%w (%w)", ErrNoInterface, err)
	case errors.Is(err, unix.EPERM):
		err = fmt.Errorf("%w; run as root or grant CAP_NET_ADMIN", err)
	case errors.Is(err, unix.EACCES):
		err = fmt.Errorf("%w; IPv6 is switched off here (sysctl net.ipv6.conf.%s.disable_ipv6)", err, l.ifi.Name)
	}
	return fmt.Errorf("%s: %s: %w", l.ifi.Name, doing, err)
}

func (l *kernelLink) device() netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: l.ifi.Index}}
}

func kernelAddr(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}}
}

// removeLeased takes those of the addresses that stand alone in their subnet with a lease
// off every interface of the calling thread's namespace.
func removeLeased(vips []netip.Addr) (did []string, err error) {
	if len(vips) == 0 {
		return nil, nil
	}
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	var errs []error
	for _, dev := range links {
		addrs, err := netlink.AddrList(dev, netlink.FAMILY_ALL)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			errs = append(errs, fmt.Errorf("listing addresses of %s: %w", dev.Attrs().Name, err))
		}
		for _, a := range addrs {
			ip, _ := netip.AddrFromSlice(a.IP)
			ip = ip.Unmap()
			bits, _ := a.Mask.Size()
			if !slices.Contains(vips, ip) || bits != ip.BitLen() || leaseOf(a.ValidLft) == 0 {
				continue
			}
			if err := netlink.AddrDel(dev, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
				errs = append(errs, fmt.Errorf("%s: deleting %s: %w", dev.Attrs().Name, ip, err))
				continue
			}
			did = append(did, fmt.Sprintf("removed address %s from %s", ip, dev.Attrs().Name))
		}
	}
	return did, errors.Join(errs...)
}
