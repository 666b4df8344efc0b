package lbcore

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreFilledIn(t *testing.T) {
	p, err := PoolConfig{Name: "web"}.withDefaults()
	if err != nil || p.Policy != "roundrobin" || *p.Retries != 3 || p.MaxIdle != 1000 {
		t.Errorf("%+v, %v", p, err)
	}
	c := p.Check
	if c.Kind != CheckTCP || c.Interval != time.Second || c.Timeout != time.Second || c.Rise != 2 || c.Fall != 3 || c.StatusMin != 200 || c.StatusMax != 399 {
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
		Check:    CheckConfig{Kind: "icmp", Path: "x y", StatusMin: 1, Interval: time.Millisecond, Timeout: time.Hour, Rise: -1},
	}.withDefaults()
	mustSay(t, err, "no name", "magic", "retries 11", "maxidle -1", "negative", "icmp", "x y", "status 1", "interval 1ms", "timeout 1h", "rise -1")
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
