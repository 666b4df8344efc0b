package control

import (
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// said is what a proxy says after n seconds of 100 requests a second of 2 ms, one of which
// failed.
func said(n uint64) *ipc.ProxyState {
	h := ipc.Histogram{From: 1, Counts: []uint64{100 * n}, Sum: time.Duration(n) * 200 * time.Millisecond}
	return &ipc.ProxyState{
		LatencyBounds: []time.Duration{time.Millisecond, 3 * time.Millisecond},
		Frontends: []ipc.FrontendState{{
			Name: "http", Requests: 100 * n, BytesIn: 1000 * n, BytesOut: 2000 * n, Latency: h,
			Status: map[string]uint64{"2xx": 99 * n, "5xx": n}, Errors: map[string]uint64{"cut": n, "source_rate": 2 * n, "max_body_bytes": n, "maxconn": 9 * n},
		}},
		Pools: []ipc.PoolState{{Name: "web", Requests: 100 * n, Latency: h, NoBackend: n, Backends: []ipc.BackendState{
			{ID: "web1", Requests: 60 * n, Errors: n, BytesOut: 10 * n}, {ID: "web2", Requests: 40 * n, BytesOut: 5 * n},
		}}},
	}
}

func TestRatesAreOfTheLastFiveSeconds(t *testing.T) {
	var r reports
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if l := r.add(said(0), began); l[liveKey{frontend: "http"}] != nil {
		t.Error("one report alone gives a rate")
	}
	var l lives
	for n := range uint64(20) {
		l = r.add(said(n+1), began.Add(time.Duration(n+1)*time.Second))
	}
	f := l[liveKey{frontend: "http"}]
	if f == nil || f.Window != liveWindow || f.Requests != 100 || f.Errors != 2 || f.Refused != 3 || f.BytesIn != 1000 || f.BytesOut != 2000 {
		t.Errorf("frontend: %+v", f)
	}
	if f.P50 != 2*time.Millisecond || f.P99 <= f.P95 || f.P99 > 3*time.Millisecond {
		t.Errorf("latencies %v, %v, %v of requests between 1 and 3 ms", f.P50, f.P95, f.P99)
	}
	if p := l[liveKey{pool: "web"}]; p.Requests != 100 || p.Errors != 2 || p.BytesOut != 15 {
		t.Errorf("pool: %+v", p)
	}
	if b := l[liveKey{"web", "web1", ""}]; b.Requests != 60 || b.Errors != 1 || b.P50 != 0 {
		t.Errorf("backend: %+v", b)
	}
}

func TestAnotherAppOfTheSameNameHasNoNegativeRate(t *testing.T) {
	var r reports
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r.add(said(9), began)
	l := r.add(said(1), began.Add(time.Second))
	for key, live := range l {
		if live.Requests < 0 || live.Errors < 0 || live.BytesIn < 0 {
			t.Errorf("%v: %+v", key, live)
		}
	}
	if f := l[liveKey{frontend: "http"}]; f.P50 != 2*time.Millisecond {
		t.Errorf("latency %v, want what the new one counted", f.P50)
	}
}

func TestManyReportsAreBounded(t *testing.T) {
	var r reports
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for n := range uint64(1000) {
		r.add(said(n), began.Add(time.Duration(n)*time.Millisecond))
	}
	if len(r) > maxReports {
		t.Errorf("%d reports are kept, want %d at most", len(r), maxReports)
	}
}
