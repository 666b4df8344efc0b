package config

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// What a check asks, and over what, follows from its own table and from its pool's.
func TestAChecksProtocolAndTLSFollowThePool(t *testing.T) {
	byHTTP := func(http2 bool) check.Question {
		return check.Question{Kind: check.HTTP, Method: "GET", Path: "/", HTTP2: http2, Status: check.Statuses{{200, 399}}}
	}
	for _, tc := range []struct {
		name, pool string
		want       check.Question
		tls        string // of the check itself: its server name, plain, or none
	}{
		{"nothing said", ``, check.Question{Kind: check.TCP}, "none"},
		{"HTTP", `check.http = "/"`, byHTTP(false), "none"},
		{"HTTP before HTTP/2", "protocol = \"h2\"\ncheck.http = \"/\"", byHTTP(true), "none"},
		{"HTTP/1.1 before HTTP/2", "protocol = \"h2\"\ncheck = { http = \"/\", protocol = \"http1\", port = 9000 }", check.Question{Kind: check.HTTP, Port: 9000, Method: "GET", Path: "/", Status: check.Statuses{{200, 399}}}, "none"},
		{"HTTP/2 before HTTP/1.1", `check = { http = "/", protocol = "h2" }`, byHTTP(true), "none"},
		{"gRPC", `check = { grpc = true, service = "a.B", host = "x.example" }`, check.Question{Kind: check.GRPC, Host: "x.example", Service: "a.B"}, "none"},
		{"TCP before HTTP/2", `protocol = "h2"`, check.Question{Kind: check.TCP}, "none"},
		{"as the pool", `tls = { server_name = "pool.example" }`, check.Question{Kind: check.TCP}, "none"},
		{"with a name of its own", "tls = { server_name = \"pool.example\", min_version = \"1.3\" }\ncheck.server_name = \"own.example\"", check.Question{Kind: check.TCP}, "own.example 772 true"},
		{"unverified as the pool", "tls = { verify = false }\ncheck.server_name = \"own.example\"", check.Question{Kind: check.TCP}, "own.example 771 false"},
		{"in plain text", "tls = { server_name = \"pool.example\" }\ncheck.tls = false", check.Question{Kind: check.TCP}, "plain"},
		{"TLS that the pool does not speak", `check = { tls = true, server_name = "own.example" }`, check.Question{Kind: check.TCP}, "own.example 771 true"},
		{"TLS by the address", `check = { tls = true, send = "x", expect = "y" }`, check.Question{Kind: check.TCP, Send: "x", Expect: "y", ExpectBytes: 16384}, " 771 true"},
		{"ranges", `check = { http = "/", status = "200, 301-302" }`, check.Question{Kind: check.HTTP, Method: "GET", Path: "/", Status: check.Statuses{{200, 200}, {301, 302}}}, "none"},
	} {
		p := parse(t, "[[vip]]\naddress = \"192.168.42.42\"\n[[frontend]]\nlisten = \":80\"\npool = \"web\"\n[pool.web]\n"+tc.pool+"\n").Pools[0]
		if diff := cmp.Diff(tc.want, p.Check.Question); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
		got := "none"
		if own := p.Check.TLS; own != nil {
			got = fmt.Sprintf("%s %d %v", own.ServerName, own.MinVersion, own.Verify)
		}
		if p.Check.Plain {
			got = "plain"
		}
		if got != tc.tls {
			t.Errorf("%s: TLS %q, want %q", tc.name, got, tc.tls)
		}
		if _, err := check.New(p.Check.Question); err != nil {
			t.Errorf("%s: passes the check of the file, and then: %v", tc.name, err)
		}
	}
}
