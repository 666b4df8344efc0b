package handover

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/nft"
)

// reflectPrefix begins the names of self-tests' tables.
const reflectPrefix = tablePrefix + "probe_"

// openReflect makes a table for the probe alone:
//
//	ip saddr FROM ip daddr TO tcp sport PORT tcp dport PORT counter fwd ip to FROM device DEVICE
func openReflect(device string, req ProbeRequest) (*Table, error) {
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		return nil, fmt.Errorf("handover: device %s: %w", device, err)
	}
	conn, err := nft.Open()
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	f := familyOf(req.To)
	t, err := commitTable(conn, reflectPrefix, strongest, func(b *nft.Batch, name string, flags nft.TableFlags) {
		b.Table(nft.Netdev, name, flags)
		b.SubChain(nft.Netdev, name, chainTCP+f.name)
		b.Rule(nft.Netdev, name, chainTCP+f.name, nft.Count, nft.ForwardTo(ifi.Index, req.From))
		b.Chain(nft.Netdev, name, nft.Chain{Name: chainIngress, Hook: nft.HookIngress, Device: device})
		b.Rule(nft.Netdev, name, chainIngress, f.to(req.To, unix.IPPROTO_TCP),
			nft.Equal(nft.NetworkHeader, f.source, req.From.AsSlice()),
			nft.Equal(nft.TransportHeader, 0, slices.Concat(port(req.Port), port(req.Port))),
			nft.Goto(chainTCP+f.name))
	})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("handover: forward on %s: %w", device, err)
	}
	return t, nil
}

// verifyGone looks whether the kernel has really removed a closed table.
func (t *Table) verifyGone() error {
	conn, err := nft.Open()
	if err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	defer conn.Close()
	tables, err := conn.Tables()
	if err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	if slices.ContainsFunc(tables, func(x nft.Table) bool { return x.Family == nft.Netdev && x.Name == t.name }) {
		return fmt.Errorf("handover: table %s is still there after its removal", t.name)
	}
	return nil
}

// probeFilter lets through what may be a probe of ours: TCP, with both ports right.
func probeFilter(req ProbeRequest) (filter []bpf.RawInstruction, etherType int, err error) {
	const etherLen = 14
	etherType, protocol, ports := unix.ETH_P_IP, uint32(etherLen+9), uint32(etherLen+header4)
	if req.From.Is6() {
		etherType, protocol, ports = unix.ETH_P_IPV6, etherLen+6, etherLen+header6
	}
	filter, err = bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolTCP, SkipTrue: 3},
		bpf.LoadAbsolute{Off: ports, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(req.Port)<<16 | uint32(req.Port), SkipTrue: 1},
		bpf.RetConstant{Val: 256},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return nil, 0, fmt.Errorf("handover: filter: %w", err)
	}
	return filter, etherType, nil
}

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
