package control

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

func seen(at time.Time, node string, age time.Duration, rate float64, frontends int) api.Cluster {
	s := &api.Status{Node: node}
	for i := range frontends {
		s.Frontends = append(s.Frontends, api.Frontend{Name: fmt.Sprint("f", i), Live: &api.Live{Requests: rate, P50: time.Millisecond}})
	}
	return api.Cluster{At: at, Nodes: []api.NodeView{{Node: node, Member: "alive", Age: age, Status: s}, {Node: "silent"}}}
}

func history1(t *testing.T, h *history) []historyLine {
	t.Helper()
	var out []historyLine
	if err := json.Unmarshal(h.json(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheHistoryIsOfTheLastFiveMinutes(t *testing.T) {
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var h history
	for i := range 1000 {
		at := began.Add(time.Duration(i) * time.Second)
		h.add(seen(at, "lb1", 0, float64(i), 1), 2*time.Second)
		h.add(seen(at.Add(time.Millisecond), "lb1", 0, -1, 1), 2*time.Second) // of the same second
	}
	all := history1(t, &h)
	if len(all) != 1 {
		t.Fatalf("%d lines, want 1", len(all))
	}
	l := all[0]
	if n := len(l.At); n != 301 || len(l.Requests) != n || len(l.Errors) != n || len(l.P50) != n || len(l.P95) != n || len(l.P99) != n {
		t.Fatalf("%d seconds; %d, %d, %d, %d, %d values", n, len(l.Requests), len(l.Errors), len(l.P50), len(l.P95), len(l.P99))
	}
	if l.Requests[0] != 699 || l.Requests[300] != 999 || l.P50[0] != int64(time.Millisecond) {
		t.Errorf("from %v to %v requests", l.Requests[0], l.Requests[300])
	}
}

func TestADeadNodesHistoryEndsAndIsForgotten(t *testing.T) {
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var h history
	h.add(seen(began, "lb1", 0, 1, 1), 2*time.Second)
	h.add(seen(began.Add(20*time.Second), "lb1", 20*time.Second, 1, 1), 2*time.Second)
	if l := history1(t, &h); len(l) != 1 || len(l[0].At) != 1 {
		t.Errorf("what is old news is taken in: %+v", l)
	}
	h.add(seen(began.Add(10*time.Minute), "lb1", 10*time.Minute, 1, 1), 2*time.Second)
	if l := history1(t, &h); len(l) != 0 {
		t.Errorf("after ten minutes there is %+v", l)
	}
}

func TestTheHistoryIsBounded(t *testing.T) {
	var h history
	h.add(seen(time.Now(), "lb1", 0, 1, 10*maxHistory), 2*time.Second)
	if n := len(history1(t, &h)); n != maxHistory {
		t.Errorf("%d lines are kept, want %d", n, maxHistory)
	}
}
