package doctor

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// probes of one VIP, in case one is lost.
const probes = 3

// maxHeard bounds the VRRP routers and the owners of a VIP that are listed.
const maxHeard = 16

// listenOnWires asks who has the VIPs and hears what VRRP routers say, on each interface that
// would hold a VIP.
func (f *Facts) listenOnWires(ctx context.Context, listen time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, listen)
	defer cancel()
	var (
		wg sync.WaitGroup
		mu sync.Mutex // held while what is heard is taken in
	)
	wires := map[string][]netip.Addr{}
	for _, vip := range f.Wanted.VIPs {
		for _, i := range f.home(vip) {
			wires[i.Name] = append(wires[i.Name], vip)
		}
	}
	failed := func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		f.Unknown = append(f.Unknown, fmt.Sprintf("%s: %v", what, err))
	}
	for name, vips := range wires {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			failed(name, err)
			continue
		}
		wg.Go(func() {
			err := hear(ctx, ifi, unix.ETH_P_ARP, nil, func(fd int) { probe(ctx, fd, ifi, vips) }, func(b []byte) {
				mac, addr, ok := parseARP(b)
				if !ok || !slices.Contains(vips, addr) || mac.String() == ifi.HardwareAddr.String() {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if macs := f.ARP[addr]; !slices.Contains(macs, mac.String()) && len(macs) < maxHeard {
					f.ARP[addr] = append(macs, mac.String())
				}
			})
			if err != nil {
				failed("who answers for the VIP on "+name, err)
			}
		})
		wg.Go(func() {
			err := hear(ctx, ifi, unix.ETH_P_IP, onlyVRRP, nil, func(b []byte) {
				v, ok := parseVRRP(b)
				if v.Interface = name; !ok {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				same := slices.ContainsFunc(f.VRRP, func(o VRRP) bool { return o.From == v.From && o.VRID == v.VRID && o.Interface == name })
				if !same && len(f.VRRP) < maxHeard {
					f.VRRP = append(f.VRRP, v)
				}
			})
			if err != nil {
				failed("VRRP on "+name, err)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(f.VRRP, func(a, b VRRP) int { return a.From.Compare(b.From) })
	slices.Sort(f.Unknown)
}

// onlyVRRP lets IPv4 packets of that protocol through: load byte 9; accept if it is 112.
var onlyVRRP = []unix.SockFilter{{Code: 0x30, K: 9}, {Code: 0x15, Jf: 1, K: protoVRRP}, {Code: 0x06, K: 0xffff}, {Code: 0x06, K: 0}}

// hear passes on each packet of one protocol that the interface receives until ctx ends. begin,
// if any, runs beside it.
func hear(ctx context.Context, ifi *net.Interface, proto uint16, filter []unix.SockFilter, begin func(fd int), take func([]byte)) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if filter != nil {
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err != nil {
			return err
		}
		// VRRP's group is nobody else's here: without it the interface may drop the frames.
		group := unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_ALLMULTI}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &group); err != nil {
			return err
		}
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(proto), Ifindex: ifi.Index}); err != nil {
		return err
	}
	var wg sync.WaitGroup
	if begin != nil {
		wg.Go(func() { begin(fd) })
	}
	b := make([]byte, 2048)
	for ctx.Err() == nil {
		n, _, err := unix.Recvfrom(fd, b, 0)
		switch err {
		case nil:
			take(b[:n])
		case unix.EAGAIN, unix.EINTR:
		default:
			wg.Wait()
			return err
		}
	}
	wg.Wait()
	return nil
}

// probe asks for each IPv4 VIP, a few times within the time that ctx leaves.
func probe(ctx context.Context, fd int, ifi *net.Interface, vips []netip.Addr) {
	if len(ifi.HardwareAddr) != 6 {
		return
	}
	to := unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ARP), Ifindex: ifi.Index, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	for range probes {
		for _, vip := range vips {
			if vip.Is4() {
				unix.Sendto(fd, arpProbe(ifi.HardwareAddr, vip), 0, &to) // the next one may get through
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func htons(n uint16) uint16 { return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)) }
