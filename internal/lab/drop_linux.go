package lab

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tandem-lb/tandem/internal/nft"
)

// maxDrops bounds the rules, so that all of them fit one netlink message batch.
const maxDrops = 512

// A drop is a direction in which no frame passes: from the switch's ports whose names begin so to those whose names begin so. A name
// and a dot means a host, over whatever segments it is on; a whole name means one port, and "" all of them.
type drop struct{ from, to string }

// anyPort is the beginning of the names of all ports of h.
func (h *Host) anyPort() string { return h.name + "." }

// Drop makes the switches drop every frame from h to other, broadcasts too, and no other frame. It lasts over power losses.
// It needs a kernel with nftables' bridge family (CONFIG_NF_TABLES_BRIDGE).
func (h *Host) Drop(other *Host) error {
	return h.lab.setDrops(true, drop{h.anyPort(), other.anyPort()})
}

// Undrop undoes Drop.
func (h *Host) Undrop(other *Host) error {
	return h.lab.setDrops(false, drop{h.anyPort(), other.anyPort()})
}

// CutLink drops all frames between two hosts, both ways at the same instant; everything else stays whole.
func (h *Host) CutLink(other *Host) error {
	return h.lab.setDrops(true, drop{h.anyPort(), other.anyPort()}, drop{other.anyPort(), h.anyPort()})
}

// HealLink undoes CutLink, and Drop in either direction.
func (h *Host) HealLink(other *Host) error {
	return h.lab.setDrops(false, drop{h.anyPort(), other.anyPort()}, drop{other.anyPort(), h.anyPort()})
}

// CutOff drops all frames between h and everybody else on one segment, at the same instant; the carrier stays, and h's other
// segments are whole.
func (h *Host) CutOff(segment string) error { return h.setCutOff(segment, true, true) }

// SilenceOn drops all frames from h on one segment; h hears what the others send there.
func (h *Host) SilenceOn(segment string) error { return h.setCutOff(segment, true, false) }

// Reattach undoes CutOff and SilenceOn.
func (h *Host) Reattach(segment string) error { return h.setCutOff(segment, false, true) }

func (h *Host) setCutOff(segment string, on, to bool) error {
	h.mu.Lock()
	var which []drop
	for _, n := range h.nics {
		if n.segment != segment {
			continue
		}
		which = append(which, drop{from: n.port})
		if to {
			which = append(which, drop{to: n.port})
		}
	}
	h.mu.Unlock()
	if len(which) == 0 {
		return fmt.Errorf("lab: %s is not on segment %q", h.name, segment)
	}
	return h.lab.setDrops(on, which...)
}

// setDrops changes the set and puts it in force, all or nothing.
func (l *Lab) setDrops(on bool, which ...drop) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	next := map[drop]bool{}
	for d := range l.drops {
		next[d] = true
	}
	for _, d := range which {
		if next[d] = on; !on {
			delete(next, d)
		}
	}
	if len(next) > maxDrops {
		return fmt.Errorf("lab: at most %d drops are allowed", maxDrops)
	}
	if err := l.sw.do(func() error { return commitDrops(next) }); err != nil {
		return fmt.Errorf("lab: drop frames (this needs a kernel with CONFIG_NF_TABLES_BRIDGE): %w", err)
	}
	l.drops = next
	return nil
}

const dropTable, dropChain = "lab", "forward"

// commitDrops replaces the table by
//
//	table bridge lab {
//		chain forward {
//			type filter hook forward priority 0
//			iifname "FROM*" oifname "TO*" drop     (one per drop)
//		}
//	}
func commitDrops(drops map[drop]bool) error {
	var b nft.Batch
	b.Table(nft.Bridge, dropTable, 0) // so that there is something to delete
	b.Delete(nft.Bridge, dropTable)
	b.Table(nft.Bridge, dropTable, 0)
	b.Chain(nft.Bridge, dropTable, nft.Chain{Name: dropChain, Hook: nft.HookBridgeForward})
	for _, d := range sortedDrops(drops) {
		var parts []nft.Part
		if d.from != "" {
			parts = append(parts, nft.FromInterface(d.from))
		}
		if d.to != "" {
			parts = append(parts, nft.ToInterface(d.to))
		}
		b.Rule(nft.Bridge, dropTable, dropChain, append(parts, nft.Drop)...)
	}
	c, err := nft.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Commit(&b)
}

func sortedDrops(drops map[drop]bool) []drop {
	return slices.SortedFunc(maps.Keys(drops), func(a, b drop) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
}
