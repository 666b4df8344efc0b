package vip

import (
	"github.com/tandem-lb/tandem/internal/nft"
)

// PlainTables makes a Muter do as on a kernel before Linux 6.9.
func PlainTables(m Muter) { m.(*kernelMuter).kinds = []nft.TableFlags{0} }

// RefuseTables makes the Muter's commits fail for one family.
func RefuseTables(m Muter, family nft.Family, err error) {
	k := m.(*kernelMuter)
	for _, f := range k.families() {
		if f.family == family {
			f.commit = func(*nft.Batch) error { return err }
		}
	}
}

// TableOf is the name of the Muter's tables.
func TableOf(m Muter) string { return m.(*kernelMuter).table }
