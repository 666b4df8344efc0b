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

// A drop is a direction in which no frame passes: from one host to another, over whatever segments they share.
type drop struct{ from, to string }

// Drop makes the switches drop every frame from h to other, broadcasts too, and no other frame. It lasts over power losses.
// It needs a kernel with nftables' bridge family (CONFIG_NF_TABLES_BRIDGE).
func (h *Host) Drop(other *Host) error { return h.lab.setDrops(true, drop{h.name, other.name}) }

// Undrop undoes Drop.
func (h *Host) Undrop(other *Host) error { return h.lab.setDrops(false, drop{h.name, other.name}) }

// CutLink drops all frames between two hosts, both ways at the same instant; everything else stays whole.
func (h *Host) CutLink(other *Host) error {
	return h.lab.setDrops(true, drop{h.name, other.name}, drop{other.name, h.name})
}

// HealLink undoes CutLink, and Drop in either direction.
func (h *Host) HealLink(other *Host) error {
	return h.lab.setDrops(false, drop{h.name, other.name}, drop{other.name, h.name})
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
//			iifname "FROM.*" oifname "TO.*" drop     (one per drop)
//		}
//	}
func commitDrops(drops map[drop]bool) error {
	var b nft.Batch
	b.Table(nft.Bridge, dropTable, 0) // so that there is something to delete
	b.Delete(nft.Bridge, dropTable)
	b.Table(nft.Bridge, dropTable, 0)
	b.Chain(nft.Bridge, dropTable, nft.Chain{Name: dropChain, Hook: nft.HookBridgeForward})
	for _, d := range sortedDrops(drops) {
		b.Rule(nft.Bridge, dropTable, dropChain, nft.FromInterface(d.from+"."), nft.ToInterface(d.to+"."), nft.Drop)
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
