package client

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestCalmNeedsHalfThePaceAndNoFailure(t *testing.T) {
	const d = time.Minute // so that the test's own time does not matter
	enough := int(d/defaultInterval) / 2
	for name, c := range map[string]struct {
		good int
		more []Request
		want []string
	}{
		"half the pace":      {enough, nil, []string{"web1"}},
		"less":               {enough - 1, nil, nil},
		"one failed":         {enough, []Request{{Fail: Timeout}}, nil},
		"one was not sent":   {enough, []Request{{Fail: Skipped}}, []string{"web1"}},
		"by another as well": {enough, []Request{{From: "web2"}}, []string{"web1", "web2"}},
		"failed long ago":    {enough, []Request{{Fail: Timeout, End: -2 * d}}, []string{"web1"}},
	} {
		log := NewLog(time.Now())
		for _, r := range slices.Concat(c.more, slices.Repeat([]Request{{From: "web1"}}, c.good)) {
			log.add(r)
		}
		if got := slices.Sorted(maps.Keys(log.Calm(d))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
