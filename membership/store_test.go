package membership_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

// A process without the right to open files is given one that is open: it is rewritten in
// place, shorter than before too, and what is left of a torn write is ignored.
func TestASnapshotInAnOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	inWorld(t, func(t *testing.T, w *world) {
		keep := func(cfg *membership.Config) { cfg.SnapshotFile = open() }
		lb1, lb2 := w.start("lb1", 11, bothSeeds, keep), w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(3*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		time.Sleep(2 * time.Second) // the first is written soon
		if places, _ := snapshotOf(t, path); len(places) != 2 {
			t.Fatalf("it holds %v, want lb2 and s1", places)
		}
		if err := s1.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		s1.stop()
		time.Sleep(11 * time.Second)
		if places, _ := snapshotOf(t, path); len(places) != 1 || places[0] != lb2.addr+":7946" {
			t.Errorf("it holds %v, want lb2 alone", places)
		}
		lb1.stop()
		if err := os.Truncate(path, 25); err != nil {
			t.Fatal(err)
		}
		lb1 = w.start("lb1", 11, bothSeeds, keep)
		w.within(3*time.Second, "lb1 is back", func() bool { return lb1.member("lb2").State == membership.StateAlive })
	})
}
