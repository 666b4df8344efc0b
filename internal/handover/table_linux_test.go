package handover_test

import (
	"net/netip"
	"testing"
)

func play(string) error { return nil }

func TestAConnectionToTheOldOwnerGoesOn(t *testing.T) {
	bed := newBed(t)
	for _, web := range []netip.AddrPort{web4, web6} {
		old := bed.dial(web)
		old.by(bed.a)
		t.Log("forward")
		table := bed.forward(bed.b, bed.a)
		bed.point(bed.b)
		old.by(bed.a)
		bed.dial(web).by(bed.b)
		st, err := table.Stats()
		check(t, err)
		t.Logf("%+v", st)
		bed.point(bed.a)
		check(t, table.Close())
	}
}
