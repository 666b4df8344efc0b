package lbcore_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

// Who waits for what is told apart: the backend for its head, the client for all.
func TestLatenciesAreCountedWhereTheyArise(t *testing.T) {
	const wait = 30 * time.Millisecond
	dead, stop := stoppable(t, "dead")
	goOn := make(chan bool)
	slow := httpBackend(t, "slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(wait)
		w.(http.Flusher).Flush()
		<-goOn
	})
	l := newBed(t, []lbcore.BackendConfig{slow, dead}, longChecks)
	stop()
	for range 4 { // every second one tries the dead one first
		c := l.dial()
		c.say(get)
		_, err := c.r.Peek(1)
		must(t, err)
		time.Sleep(wait) // with the head here
		goOn <- true
		c.answer(t, "GET")
		c.say("nonsense\r\n\r\n") // is no request
		c.answer(t, "GET")
	}
	var frontend lbcore.Histogram
	eventually(t, "all is counted", func() bool { frontend = l.counters().Latency; return frontend.Count() == 4 })
	pool, backends := l.poolState().Counters, l.poolState().Backends
	for what, h := range map[string]lbcore.Histogram{"backend": backends[0].Counters.Latency, "pool": pool.Latency} {
		if h.Count() != 4 || h.Sum < 4*wait || h.Sum+4*wait > frontend.Sum {
			t.Errorf("%s: %d in %v; the clients waited %v", what, h.Count(), h.Sum, frontend.Sum)
		}
	}
	if half := frontend.Quantile(0.5); half < wait*2*3/4 {
		t.Errorf("half of the clients waited %v, want more than %v", half, 2*wait)
	}
	if pool.Requests != 4 || pool.Responses[2] != 4 || pool.Retries == 0 || pool.NoBackend != 0 {
		t.Errorf("pool: %+v", pool)
	}
	if n := backends[1].Counters.Latency.Count(); n != 0 {
		t.Errorf("the dead one has answered %d times", n)
	}
}

func TestAPoolGoesOnCountingWhenItsBackendsLeave(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))))
	c := l.dial()
	c.say(get)
	c.answer(t, "GET")
	must(t, l.Pool("web").Set(nil))
	c.say(get)
	if resp, _ := c.answer(t, "GET"); resp.StatusCode != 503 {
		t.Fatal(resp.Status)
	}
	eventually(t, "both are counted", func() bool { n := l.counters(); return n.Latency.Count() == 2 })
	n := l.poolState().Counters
	if n.Requests != 2 || n.NoBackend != 1 || n.Latency.Count() != 1 {
		t.Errorf("%+v", n)
	}
}
