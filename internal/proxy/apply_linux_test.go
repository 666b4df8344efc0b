package proxy

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/route"
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

func TestModeRoutesAndTLSReachTheCore(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	got := frontendOf(t, ipc.Frontend{
		Name: "tcp", Pool: "web", Mode: "tcp", HTTP2: ipc.HTTP2{Enabled: true, H2C: true, MaxStreams: 3, StreamWindow: 4, Window: 5}, SNI: [][2]string{{"a.example", "a"}}, AcceptProxy: networks,
		RedirectHTTPS: 443, ResponseHeaders: [][2]string{{"X-A", "b"}}, Rules: []route.Rule{{Name: "r"}},
		MaxConn: 6, Sources: ipc.Sources{Allow: networks, Deny: networks, MaxConn: 7, Rate: &route.Rate{Count: 8}, Prefix6: 9, Table: 10},
	})
	if s := got.Sources; got.MaxConn != 6 || !slices.Equal(s.Allow, networks) || !slices.Equal(s.Deny, networks) || s.MaxConn != 7 || s.Rate.Count != 8 || s.Prefix6 != 9 || s.Remembered != 10 {
		t.Errorf("limits %d, %+v", got.MaxConn, s)
	}
	if got.Mode != lbcore.ModeTCP || len(got.SNI) != 1 || got.SNI[0].Names[0] != "a.example" || got.SNI[0].Pool != "a" ||
		!slices.Equal(got.AcceptProxy, networks) || got.RedirectHTTPS != 443 || got.HTTP2 != (lbcore.HTTP2Config{TLS: true, H2C: true, MaxStreams: 3, StreamWindow: 4, Window: 5}) || got.ResponseHeaders[0][1] != "b" || got.TLS != nil || got.Rules[0].Name != "r" {
		t.Errorf("%+v", got)
	}
	pools, err := poolConfigs([]ipc.PoolPolicy{{Name: "web", SendProxy: 2, Protocol: "h2", TLS: &ipc.PoolTLS{ServerName: "x", MinVersion: 0x0304, Verify: true}}, {Name: "plain"}})
	if err != nil {
		t.Fatal(err)
	}
	if p := pools[0]; p.SendProxy != 2 || p.Protocol != lbcore.ProtocolHTTP2 || p.TLS == nil || p.TLS.ServerName != "x" || p.TLS.MinVersion != 0x0304 || p.TLS.Unverified || pools[1].TLS != nil {
		t.Errorf("%+v", pools)
	}
	for _, bad := range []ipc.PoolTLS{{CAs: []byte("x")}, {Certificate: &ipc.Certificate{}}} {
		if _, err := poolConfigs([]ipc.PoolPolicy{{Name: "web", TLS: &bad}}); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, bad := range []ipc.TLS{{Certificates: []ipc.Certificate{{}}}, {ClientCAs: []byte("x")}} {
		if _, err := tlsConfig(&bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	own, err := tlsConfig(&ipc.TLS{SessionTickets: true})
	if err != nil || len(own.TicketSecrets) != 1 || len(own.TicketSecrets[0]) < 16 {
		t.Errorf("without a shared secret the proxy has %d, %v", len(own.TicketSecrets), err)
	}
}
