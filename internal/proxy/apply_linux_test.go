package proxy

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

func TestWhatAFrontendIsToldReachesTheCore(t *testing.T) {
	in := ipc.Frontend{
		Name: "http", Pool: "web", HeaderTimeout: time.Second, IdleTimeout: 2 * time.Second,
		TunnelTimeout: 3 * time.Second, ClientTimeout: 4 * time.Second, HalfClose: 5 * time.Second, MaxHead: 5000, MaxBody: 6000, MinRate: 7,
		Forwarded: "both", Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Via: "tandem",
	}
	got := frontendOf(t, in)
	wantLimits := lbcore.Limits{Head: 5000, Body: 6000, MinRate: 7}
	wantTimeouts := lbcore.FrontendTimeouts{
		Header: time.Second, Idle: 2 * time.Second, Client: 4 * time.Second, HalfClose: 5 * time.Second, Tunnel: 3 * time.Second,
	}
	if got.Limits != wantLimits || got.Timeouts != wantTimeouts || got.Forwarded != in.Forwarded || !slices.Equal(got.Trusted, in.Trusted) || got.Via != in.Via {
		t.Errorf("%+v became %+v", in, got)
	}
	in.MinRate = 0
	if got := frontendOf(t, in).Limits.MinRate; got != -1 {
		t.Errorf("no least rate became %d, want -1", got)
	}
}

func frontendOf(t *testing.T, f ipc.Frontend) lbcore.FrontendConfig {
	t.Helper()
	all, err := frontendConfigs([]ipc.Frontend{f}, []int{10, 11}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}
