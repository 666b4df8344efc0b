package election

import (
	"errors"
	"fmt"
	"testing"
)

func TestFilterLetsEachAdvertThroughOnceAndInOrder(t *testing.T) {
	var f Filter
	for i, tc := range []struct {
		node      string
		boot, seq uint64
		want      error
	}{
		{"a", 1, 5, nil},
		{"a", 1, 5, ErrReplay},
		{"a", 1, 4, ErrReplay},
		{"a", 1, 6, nil},
		{"b", 1, 1, nil}, // another node counts by itself
		{"a", 2, 1, nil}, // so does another boot
		{"a", 1, 6, ErrReplay},
		{"a", 2, 1, ErrReplay},
		{"a", 1, 7, nil}, // overtaken by the restart: known to be old only by the next
		{"a", 2, 2, nil},
		{"a", 2, 0, ErrReplay},
	} {
		if err := f.Accept(&Advert{Node: tc.node, Boot: tc.boot, Seq: tc.seq}); !errors.Is(err, tc.want) {
			t.Errorf("%d: %s, boot %d, sequence %d: %v, want %v", i, tc.node, tc.boot, tc.seq, err, tc.want)
		}
	}
}

// Whatever comes, the filter's memory is bounded.
func TestFilterIsBounded(t *testing.T) {
	var f Filter
	for i := range 10 * MaxPeers {
		var want error
		if i >= MaxPeers {
			want = ErrPeers
		}
		if err := f.Accept(&Advert{Node: fmt.Sprint(i), Boot: 1}); !errors.Is(err, want) {
			t.Fatalf("node %d: %v, want %v", i, err, want)
		}
	}
	for boot := range uint64(100) {
		if err := f.Accept(&Advert{Node: "0", Boot: 2 + boot, Seq: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.senders["0"]); n != maxBoots {
		t.Errorf("%d boots remembered, want %d", n, maxBoots)
	}
	f.Forget("0")
	if err := f.Accept(&Advert{Node: "new", Boot: 1}); err != nil {
		t.Errorf("after Forget: %v", err)
	}
}
