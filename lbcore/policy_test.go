package lbcore

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func backends(weights ...int) (list []*Backend) {
	for i, w := range weights {
		c := BackendConfig{ID: string(rune('a' + i)), Addr: netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", i+1)), Weight: w}
		b := newBackend(nil, c, 2, time.Time{})
		b.status.Store(&status{up: true})
		list = append(list, b)
	}
	return list
}

func picks(p Policy, avail []*Backend, n int) string {
	var s strings.Builder
	for range n {
		s.WriteString(p.Pick(avail, 0).ID())
	}
	return s.String()
}

func TestRoundRobinIsSmooth(t *testing.T) {
	for _, tc := range []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "aaa"},
		{[]int{100, 100, 100}, "abcabc"},
		{[]int{5, 1, 1}, "aabacaaaabacaa"}, // the example in nginx's source
		{[]int{2, 1}, "abaaba"},
	} {
		if got := picks(RoundRobin{}, backends(tc.weights...), len(tc.want)); got != tc.want {
			t.Errorf("weights %v: %s, want %s", tc.weights, got, tc.want)
		}
	}
}

func TestRoundRobinGivesEveryBackendExactlyItsWeightInEachCycle(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		weights := make([]int, 1+rng.IntN(12))
		total := 0
		for i := range weights {
			weights[i] = 1 + rng.IntN(MaxWeight)
			total += weights[i]
		}
		list := backends(weights...)
		for cycle := range 3 {
			got := map[string]int{}
			for range total {
				got[RoundRobin{}.Pick(list, 0).ID()]++
			}
			for i, b := range list {
				if got[b.ID()] != weights[i] {
					t.Fatalf("seed %d: weights %v, cycle %d: %s was picked %d times", seed, weights, cycle, b.ID(), got[b.ID()])
				}
			}
		}
	}
}

func TestRoundRobinStaysFairWhenTheSetChanges(t *testing.T) {
	list := backends(100, 100, 100)
	picks(RoundRobin{}, list, 7)
	picks(RoundRobin{}, list[1:], 9) // a is away for a while
	got := picks(RoundRobin{}, list, 30)
	for _, id := range []string{"a", "b", "c"} {
		if n := strings.Count(got, id); n < 9 || n > 11 {
			t.Errorf("%s was picked %d times of 30 after it returned: %s", id, n, got)
		}
	}
}

func TestLoopsPickIndependently(t *testing.T) {
	list := backends(1, 1)
	if got := picks(RoundRobin{slot: 0}, list, 2) + picks(RoundRobin{slot: 1}, list, 2); got != "abab" {
		t.Errorf("got %s", got)
	}
}

func TestLeastConnPicksTheLeastBusyOfItsWeight(t *testing.T) {
	for _, tc := range []struct {
		weights []int
		busy    []int64 // on another loop
		want    string
	}{
		{[]int{1, 1, 1}, []int64{0, 0, 0}, "abcabc"},
		{[]int{1, 1, 1}, []int64{2, 0, 1}, "bbb"},
		{[]int{1, 1, 1}, []int64{1, 0, 0}, "bcbc"},
		{[]int{2, 1}, []int64{2, 1}, "abaaba"}, // equal: in turns of their weights
		{[]int{2, 1}, []int64{3, 1}, "bb"},
		{[]int{3, 1}, []int64{2, 1}, "aa"},
		{[]int{1}, []int64{9}, "aa"},
	} {
		list := backends(tc.weights...)
		for i, n := range tc.busy {
			list[i].slots[1].count.current.Store(n)
		}
		if got := picks(LeastConn{}, list, len(tc.want)); got != tc.want {
			t.Errorf("weights %v, busy %v: %s, want %s", tc.weights, tc.busy, got, tc.want)
		}
	}
}

func TestLeastConnSpreadsWhatStays(t *testing.T) {
	list := backends(4, 2, 1)
	for range 70 {
		LeastConn{}.Pick(list, 0).slots[0].count.current.Add(1)
	}
	for i, want := range []int64{40, 20, 10} {
		if got := list[i].inFlight(); got != want {
			t.Errorf("%s has %d, want %d", list[i].ID(), got, want)
		}
	}
}
