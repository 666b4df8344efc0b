package membership

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hashicorp/memberlist"
)

func TestOnlyThoseWhoWereAskedCanAnswerAndOnlyOnce(t *testing.T) {
	q := newQuestions()
	to := netip.MustParseAddrPort("10.0.0.12:7947")
	var got []string
	id, err := q.ask(to, []*memberlist.Node{{Name: "s1#1-A"}, {Name: "s2#1-A"}}, func(a RelayAnswer) {
		got = append(got, a.Via+" "+string(a.Datagram))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		wire string
		id   uint64
		want bool
	}{
		{"s1#1-A", id + 1, false},
		{"s3#1-A", id, false},
		{"s1#2-A", id, false}, // another run of that name
		{"s1#1-A", id, true},
		{"s1#1-A", id, false},
		{"s2#1-A", id, true},
		{"s2#1-A", id, false},
	} {
		if ok := q.answer(tc.wire, tc.id, []byte("yes")); ok != tc.want {
			t.Errorf("%s to question %d of %d: taken %v, want %v", tc.wire, tc.id, id, ok, tc.want)
		}
	}
	if all := strings.Join(got, ", "); all != "s1 yes, s2 yes" {
		t.Errorf("delivered %q", all)
	}
	if len(q.waiting) != 0 || q.lastGood(to) != "s2#1-A" {
		t.Errorf("%d questions left, the last good one is %q", len(q.waiting), q.lastGood(to))
	}
}
