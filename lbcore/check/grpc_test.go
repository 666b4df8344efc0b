package check

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A real server of gRPC, over TLS and without.
func TestGRPC(t *testing.T) {
	cert, trusted := signed(t, time.Now().Add(time.Hour), "app.example")
	for name, cfg := range map[string]*tls.Config{"plain": nil, "tls": {RootCAs: trusted, ServerName: "app.example"}} {
		t.Run(name, func(t *testing.T) {
			serve := func(register func(*grpc.Server)) (*grpc.Server, net.Addr) {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				var options []grpc.ServerOption
				if cfg != nil {
					options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
				}
				s := grpc.NewServer(options...)
				register(s)
				go func() { _ = s.Serve(ln) }()
				t.Cleanup(s.Stop)
				return s, ln.Addr()
			}
			h := health.NewServer()
			_, addr := serve(func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, h) })
			h.SetServingStatus("shop.Cart", grpc_health_v1.HealthCheckResponse_SERVING)
			h.SetServingStatus("shop.Till", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
			_, without := serve(func(*grpc.Server) {})
			_, angry := serve(func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, angryHealth{}) })
			for _, tc := range []struct {
				name, service string
				addr          net.Addr
				want          string
			}{
				{"the server as a whole", "", addr, ""},
				{"a service", "shop.Cart", addr, ""},
				{"one that does not serve", "shop.Till", addr, `gRPC health of "shop.Till": NOT_SERVING, want SERVING`},
				{"one that it does not know", "shop.None", addr, `gRPC health of "shop.None": status 5 NOT_FOUND: "unknown service"`},
				{"without the health service", "", without, "gRPC health: status 12 UNIMPLEMENTED"},
				{"an error with odd words", "", angry, `status 14 UNAVAILABLE: "\u00e4rger\n\x1b[2J"`},
			} {
				said(t, tc.name, ask(t, Question{Kind: GRPC, Service: tc.service}, addrOf(tc.addr), cfg), tc.want)
			}
			h.Shutdown()
			said(t, "while it shuts down", ask(t, Question{Kind: GRPC, Service: "shop.Cart"}, addrOf(addr), cfg), "NOT_SERVING")
		})
	}
	h1 := httptest.NewServer(http.HandlerFunc(echo))
	defer h1.Close()
	said(t, "no HTTP/2", ask(t, Question{Kind: GRPC}, addrOf(h1.Listener.Addr()), nil), "gRPC health: no answer")
	h2c := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != healthPath || r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" || r.Host != "app.example" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	h2c.Config.Protocols = new(http.Protocols)
	h2c.Config.Protocols.SetUnencryptedHTTP2(true)
	h2c.Start()
	defer h2c.Close()
	said(t, "no gRPC", ask(t, Question{Kind: GRPC, Host: "app.example"}, addrOf(h2c.Listener.Addr()), nil), "the answer has no grpc-status")
	said(t, "another host", ask(t, Question{Kind: GRPC}, addrOf(h2c.Listener.Addr()), nil), "status 404 Not Found of HTTP, want 200")
}

type angryHealth struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (angryHealth) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return nil, status.Error(codes.Unavailable, "ärger\n\x1b[2J")
}

func TestHealthRequestIsAsGRPCWritesIt(t *testing.T) {
	for _, service := range []string{"", "shop.Cart", strings.Repeat("x", MaxService)} {
		m, err := proto.Marshal(&grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		if got := healthRequest(service); !bytes.Equal(got[framePart:], m) || int(got[3])<<8|int(got[4]) != len(m) {
			t.Errorf("%q: % x, want % x", service, got, m)
		}
	}
}

// Whatever bytes come: no panic, and what gRPC's own decoder reads in them.
func FuzzHealthAnswer(f *testing.F) {
	for _, state := range []grpc_health_v1.HealthCheckResponse_ServingStatus{0, 1, 2, 3, 1 << 30, -1} {
		m, err := proto.Marshal(&grpc_health_v1.HealthCheckResponse{Status: state})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{0, 0, 0, 0, byte(len(m))}, m...))
	}
	f.Add([]byte{0, 0, 0, 0, 6, 0x12, 0x02, 'h', 'i', 0x08, 0x01})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		state, err := healthAnswer(b)
		if err != nil {
			return
		}
		var m grpc_health_v1.HealthCheckResponse
		if err := proto.Unmarshal(b[framePart:], &m); err != nil {
			t.Skip("it is malformed in what is passed over")
		}
		if (state == serving) != (m.Status == grpc_health_v1.HealthCheckResponse_SERVING) && state < 1<<31 {
			t.Errorf("% x: %d, want %d", b, state, m.Status)
		}
	})
}
