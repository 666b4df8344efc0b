package lbcore

import (
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore/check"
)

func TestDefaultsAreFilledIn(t *testing.T) {
	p, err := PoolConfig{Name: "web"}.withDefaults()
	if err != nil || p.Policy != "roundrobin" || *p.Retries != 3 || p.MaxIdle != 1000 {
		t.Errorf("%+v, %v", p, err)
	}
	c := p.Check
	if c.Kind != check.TCP || c.Interval != time.Second || c.Timeout != time.Second || c.Rise != 2 || c.Fall != 3 || c.Status.String() != "200-399" {
		t.Errorf("%+v", c)
	}
	f, err := FrontendConfig{Name: "http", Listeners: []int{3}}.withDefaults()
	if err != nil || f.Timeouts != (FrontendTimeouts{10 * time.Second, 10 * time.Second, time.Minute, 30 * time.Second, 2 * time.Second, time.Hour}) || f.Limits.Head != 16384 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestAllErrorsOfAConfigAreReportedAtOnce(t *testing.T) {
	eleven := 11
	_, err := PoolConfig{
		Policy: "magic", Retries: &eleven, MaxIdle: -1,
		Timeouts: PoolTimeouts{Server: -1},
		Check: CheckConfig{
			Question: check.Question{Kind: "icmp", Path: "x y", Status: check.Statuses{{1, 1}}, Pattern: "("},
			TLS:      &BackendTLS{MinVersion: 1}, Plain: true, Interval: time.Millisecond, Jitter: 101, Timeout: time.Hour, Rise: -1,
		},
	}.withDefaults()
	mustSay(t, err, "no name", "magic", "retries 11", "maxidle -1", "negative", "icmp", "x y", "status 1", "check pattern", "least version", "and without it", "interval 1ms", "jitter 101", "timeout 1h", "rise -1")
	_, err = FrontendConfig{Limits: Limits{Head: 1, Body: -1}, Timeouts: FrontendTimeouts{Idle: -1}}.withDefaults()
	mustSay(t, err, "no name", "no listener", "head limit 1", "body limit -1", "negative")
	_, err = Config{Loops: 65, MaxConns: -1}.withDefaults()
	mustSay(t, err, "loops 65", "maxconns -1")
	_, err = Config{Loops: 2, Progress: make([]uint64, 1)}.withDefaults()
	mustSay(t, err, "progress has 1 words")
}

func mustSay(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error does not say %q:\n%v", w, err)
		}
	}
}
