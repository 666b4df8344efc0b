package lbcore_test

import (
	"net/http"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

func TestABackendThatAnswers500IsEjectedAndOthersServe(t *testing.T) {
	list := answering(t, 2)
	sick := httpBackend(t, "s9", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	l := newBed(t, append(list, sick), longChecks, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Outlier.Consecutive5xx = 3
	})
	eventually(t, "the sick one is ejected", func() bool {
		l.askFor("/", "")
		return l.poolState().Up == 2
	})
	for range 20 {
		if who := l.askFor("/", ""); who != "s0" && who != "s1" {
			t.Fatalf("%q answered", who)
		}
	}
}

func TestASpentRetryBudgetEndsRetries(t *testing.T) {
	dead, stop := stoppable(t, "s9")
	l := newBed(t, append(answering(t, 1), dead), oneLoop, longChecks, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.RetryBudget = &lbcore.RetryBudget{Percent: 0, PerSecond: 0}
	})
	stop()
	failed := 0
	for range 4 { // round robin: every other one, until the check has seen it
		c := l.send("/")
		if resp, _ := c.answer(t, "GET"); resp.StatusCode == 502 {
			failed++
		}
	}
	s := l.poolState()
	if failed == 0 || s.Counters.RetriesRefused != uint64(failed) || s.Counters.Retries != 0 {
		t.Errorf("%d answered 502; counted %d refused and %d made", failed, s.Counters.RetriesRefused, s.Counters.Retries)
	}
}
