package handover

import (
	"context"
	"net/netip"

	"github.com/tandem-lb/tandem/internal/nft"
)

// TablePrefix begins the names of all tables.
const TablePrefix = tablePrefix

// Step is a place in Open at which a test can do something.
type Step struct {
	AfterWatch, AfterList func()
	More                  []Flow // beside those that the kernel lists
	Plain                 bool   // as on kernels without owned tables
}

// OpenWith is Open with something done in between.
func OpenWith(ctx context.Context, cfg Config, at Step) (*Table, error) {
	k := stepped{kernel{strongest}, at}
	if at.Plain {
		k.kinds = []nft.TableFlags{0}
	}
	return open(ctx, cfg, k)
}

type stepped struct {
	kernel
	at Step
}

func (s stepped) list(ctx context.Context, cfg Config) ([]Flow, error) {
	if s.at.AfterWatch != nil {
		s.at.AfterWatch()
	}
	flows, err := s.kernel.list(ctx, cfg)
	if s.at.AfterList != nil {
		s.at.AfterList()
	}
	return append(flows, s.at.More...), err
}

// ListFlows returns this node's connections in any state of LiveStates, and how many sockets
// the kernel's filter let through.
func ListFlows(vips []netip.Addr, each func(Flow)) (sockets int, err error) {
	d, err := openDiag()
	if err != nil {
		return 0, err
	}
	defer d.close()
	for _, family := range families {
		filter := vipFilter(family, vips)
		if filter == nil {
			continue
		}
		if err := d.request(family, liveStates, filter); err != nil {
			return 0, err
		}
		if err := d.answers(context.Background(), func([]byte) error { sockets++; return nil }); err != nil {
			return 0, err
		}
	}
	return sockets, d.list(context.Background(), vips, liveStates, func(w Flow) error { each(w); return nil })
}

// Segment is a whole IP packet with a TCP segment.
var Segment = segment

// Checksum is the Internet checksum.
var Checksum = checksum

// Flags of TCP.
const (
	FlagSYN = flagSYN
	FlagACK = flagACK
)

// Gone looks whether the kernel has removed a closed table.
func Gone(t *Table) error { return t.verifyGone() }
