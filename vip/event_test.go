package vip

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOfOneSubjectOnlyTheNewestEventWaitsAndCountsTheOthers(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	x, y := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	var q eventQueue
	for _, ev := range []Event{
		{Kind: LinkDown},
		{Kind: Conflict, Addr: a, By: x},
		{Kind: Conflict, Addr: b, By: x},
		{Kind: Lost, Addr: a},
		{Kind: LinkUp},
		{Kind: Conflict, Addr: a, By: y},
		{Kind: LinkDown},
	} {
		q.push(ev)
	}
	want := eventQueue{
		{Kind: LinkDown, Count: 3},
		{Kind: Conflict, Addr: a, By: y, Count: 2},
		{Kind: Conflict, Addr: b, By: x, Count: 1},
		{Kind: Lost, Addr: a, Count: 1},
	}
	opt := cmp.Comparer(func(p, q netip.Addr) bool { return p == q })
	if diff := cmp.Diff(want, q, opt); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	q.pop()
	if diff := cmp.Diff(want[1:], q, opt); diff != "" {
		t.Errorf("after pop (-want +got):\n%s", diff)
	}
}
