package main

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestProxyOptions(t *testing.T) {
	o, err := parseProxyOptions([]string{"--peer", "haproxy", "--peer", "nginx", "-n", "2", "--for", "1s", "--scenario", "close,1MiB", "--json"}, io.Discard)
	if err != nil || !o.json || o.n != 2 || o.time != time.Second || strings.Join(o.peers, " ") != "haproxy nginx" ||
		len(o.scenarios) != 2 || o.scenarios[0].mode != loadClose || o.scenarios[1].mode != loadBig {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := parseProxyOptions(nil, io.Discard); err != nil || len(o.scenarios) != len(scenarios) || o.n != 5 || o.peers != nil {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"x"}, {"--peer", "caddy"}, {"--scenario", "x"}, {"-n", "0"}, {"--for", "1ms"}, {"--x"}} {
		if _, err := parseProxyOptions(args, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func trials(values ...float64) (out []ProxyTrial) {
	for _, v := range values {
		t := ProxyTrial{Value: v, Whole: v + 1, PerS: 1000}
		if v == 0 {
			t.Error = "it did not start"
		}
		out = append(out, t)
	}
	return out
}

// Ratios are made inside a repetition: of medians it would be 10/20 here.
func TestRatiosAreOfTheSameRepetition(t *testing.T) {
	r := &ProxyReport{CPUs: 2, Kernel: "6.1", Load: "0 0 0", Results: []ProxyResult{
		{Scenario: "close", Proxy: ourProxy, Unit: "µs/request", Trials: trials(10, 10, 40, 0)},
		{Scenario: "close", Proxy: "haproxy", Unit: "µs/request", Trials: trials(20, 10, 80, 20)},
	}}
	r.sum()
	x := r.Results[1]
	if x.Ratio == nil || *x.Ratio != (Range{0.5, 0.5, 1, 3}) || x.N != 4 || x.Value != (Range{10, 20, 80, 4}) || x.Whole.Max != 81 {
		t.Errorf("%+v, ratio %+v", x, x.Ratio)
	}
	if x := r.Results[0]; x.Ratio != nil || x.N != 3 || x.Broken != 1 || x.Value != (Range{10, 10, 40, 3}) {
		t.Errorf("%+v", x)
	}
	var table strings.Builder
	if err := r.writeTable(&table); err != nil {
		t.Fatal(err)
	}
	golden(t, "proxy.txt", table.String())
}

func TestRangeOfAnEvenNumberAndOfNone(t *testing.T) {
	for _, tc := range []struct {
		set  []float64
		want Range
	}{{nil, Range{}}, {[]float64{4, 1, 3, 2}, Range{1, 2.5, 4, 4}}, {[]float64{7}, Range{7, 7, 7, 1}}} {
		if got := rangeOf(tc.set); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%v: %+v", tc.set, got)
		}
	}
}

func TestProxyConfigurations(t *testing.T) {
	golden(t, "proxy-haproxy.cfg", haproxyProxyConf("/tmp/x", scenario{}))
	golden(t, "proxy-haproxy-1MiB.cfg", haproxyProxyConf("/tmp/x", scenario{mode: loadBig}))
	golden(t, "proxy-haproxy-tls.cfg", haproxyProxyConf("/tmp/x", scenario{tls: true}))
	golden(t, "proxy-nginx.conf", nginxProxyConf("/tmp/x", scenario{}))
	golden(t, "proxy-nginx-tls.conf", nginxProxyConf("/tmp/x", scenario{tls: true}))
	golden(t, "proxy-haproxy-h2.cfg", haproxyProxyConf("/tmp/x", scenario{tls: true, h2: 10}))
	golden(t, "proxy-nginx-h2.conf", nginxProxyConf("/tmp/x", scenario{tls: true, h2: 10}))
	golden(t, "proxy-tandem-tls.toml", tandemTLSConf("/tmp/x"))
}
