package proxy

import (
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

func TestWhatAFrontendIsToldReachesTheCore(t *testing.T) {
	in := ipc.Frontend{
		Name: "http", Pool: "web", HeaderTimeout: time.Second, IdleTimeout: 2 * time.Second,
		TunnelTimeout: 3 * time.Second, MaxHead: 5000, MinRate: 7,
	}
	got := frontendConfigs([]ipc.Frontend{in}, []int{10, 11}, 2)[0]
	wantLimits := lbcore.Limits{Head: 5000, MinRate: 7}
	wantTimeouts := lbcore.FrontendTimeouts{Header: time.Second, Idle: 2 * time.Second, Client: 2 * time.Second, Tunnel: 3 * time.Second}
	if got.Limits != wantLimits || got.Timeouts != wantTimeouts {
		t.Errorf("%+v became %+v", in, got)
	}
	in.MinRate = 0
	if got := frontendConfigs([]ipc.Frontend{in}, []int{10, 11}, 2)[0].Limits.MinRate; got != -1 {
		t.Errorf("no least rate became %d, want -1", got)
	}
}
