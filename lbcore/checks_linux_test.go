package lbcore_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/check"
)

// A pool may speak one thing, and its checks another.
func TestAPoolIsCheckedInAnyWay(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	cert := a.sign("app.example")
	h := health.NewServer()
	serve := func(options ...grpc.ServerOption) lbcore.BackendConfig {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		s := grpc.NewServer(options...)
		grpc_health_v1.RegisterHealthServer(s, h)
		go func() { _ = s.Serve(ln) }()
		t.Cleanup(s.Stop)
		return backendAt("app", ln.Addr())
	}
	plain, secured := serve(), serve(grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	trusted := &lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app.example"}
	byGRPC := check.Question{Kind: check.GRPC}
	for _, tc := range []struct {
		name string
		app  lbcore.BackendConfig
		pool lbcore.PoolConfig
		want string // of the reason; "": it is up
	}{
		{"gRPC", plain, lbcore.PoolConfig{Protocol: lbcore.ProtocolHTTP2, Check: lbcore.CheckConfig{Question: byGRPC}}, ""},
		{"gRPC over the pool's TLS", secured, lbcore.PoolConfig{Protocol: lbcore.ProtocolHTTP2, TLS: trusted, Check: lbcore.CheckConfig{Question: byGRPC}}, ""},
		{"a connection", plain, lbcore.PoolConfig{Protocol: lbcore.ProtocolHTTP2}, ""},
		{"HTTP/2 that the pool does not speak", plain, lbcore.PoolConfig{Check: lbcore.CheckConfig{Question: check.Question{Kind: check.HTTP, HTTP2: true, Status: check.Statuses{{100, 599}}}}}, ""},
		{"TLS that the pool does not speak", secured, lbcore.PoolConfig{Check: lbcore.CheckConfig{TLS: trusted}}, ""},
		{"with a stranger's authority", secured, lbcore.PoolConfig{Check: lbcore.CheckConfig{TLS: &lbcore.BackendTLS{RootCAs: stranger.pool(), ServerName: "app.example"}}}, "TLS handshake: x509: certificate signed by unknown authority"},
		{"with another name", secured, lbcore.PoolConfig{TLS: trusted, Check: lbcore.CheckConfig{TLS: &lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "other.example"}}}, "not other.example"},
		{"in plain text where the pool speaks TLS", secured, lbcore.PoolConfig{TLS: trusted, Check: lbcore.CheckConfig{Question: check.Question{Kind: check.HTTP}, Plain: true}}, "GET /: no answer"},
		{"TLS is asked for the client's certificate", serve(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: a.pool(), ClientAuth: tls.RequireAndVerifyClientCert}))), lbcore.PoolConfig{
			Protocol: lbcore.ProtocolHTTP2, Check: lbcore.CheckConfig{Question: byGRPC},
			TLS: &lbcore.BackendTLS{RootCAs: a.pool(), ServerName: "app.example", Certificates: []tls.Certificate{a.sign("lb")}},
		}, ""},
	} {
		l := newBed(t, nil, func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
			tc.pool.Name, tc.pool.Check.Interval, tc.pool.Check.Timeout = p.Name, 50*time.Millisecond, 20*time.Second
			*p = tc.pool
		})
		must(t, l.Pool("web").Set(one(tc.app)))
		eventually(t, tc.name+": it is checked", func() bool { return !l.poolState().Backends[0].CheckedAt.IsZero() })
		b := l.poolState().Backends[0]
		if up := b.State == lbcore.StateUp; up != (tc.want == "") || !strings.Contains(b.Reason, tc.want) {
			t.Errorf("%s: %s because %q, want %q", tc.name, b.State, b.Reason, tc.want)
		}
	}

	l := newBed(t, one(plain), func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Protocol, p.Check.Question = lbcore.ProtocolHTTP2, byGRPC
	})
	h.Shutdown()
	eventually(t, "it says that it stops", func() bool { return l.poolState().Backends[0].State == lbcore.StateDown })
	if b := l.poolState().Backends[0]; b.Reason != "gRPC health: NOT_SERVING, want SERVING" {
		t.Errorf("%q", b.Reason)
	}
}
