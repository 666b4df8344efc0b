package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// app answers as internal/webapp does; wrong makes it lie about what it received.
func app(t *testing.T, wrong bool) netip.AddrPort {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			buf := make([]byte, messageSize)
			for {
				if _, err := io.ReadFull(rw, buf); err != nil {
					return
				}
				if wrong {
					buf[0]++
				}
				if _, err := c.Write(buf); err != nil {
					return
				}
			}
		case "/upload":
			h := sha256.New()
			_, _ = io.Copy(h, r.Body)
			if wrong {
				h.Write([]byte{0})
			}
			fmt.Fprintf(w, `{"sha256":%q}`, hex.EncodeToString(h.Sum(nil)))
		case "/slow":
			if d, err := time.ParseDuration(r.URL.Query().Get("ms") + "ms"); err == nil {
				time.Sleep(d)
			}
		}
	}))
	t.Cleanup(srv.Close)
	return netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://"))
}

func dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, to.String())
}

// crowdOf has two of each kind at work for a while.
func crowdOf(t *testing.T, to netip.AddrPort, d time.Duration) CrowdReport {
	t.Helper()
	c, err := NewCrowd(CrowdConfig{
		Target: to, Dial: dial, Slow: 2, SlowTime: 10 * time.Millisecond, Keep: 2, KeepPause: time.Millisecond,
		Streams: 2, StreamEvery: time.Millisecond, StreamLife: d / 4, Uploads: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	c.Run(ctx)
	return c.Report()
}

func TestACrowdIsServed(t *testing.T) {
	r := crowdOf(t, app(t, false), 400*time.Millisecond)
	if r.Lost() != 0 || r.Requests == 0 || r.Streams < 4 || r.Messages == 0 || r.Uploads != 2 || r.Sent == 0 {
		t.Errorf("%+v", r)
	}
}

func TestACrowdSeesWrongBytes(t *testing.T) {
	r := crowdOf(t, app(t, true), 200*time.Millisecond)
	if r.Wrong != r.Messages+2 || r.Failed != 0 {
		t.Errorf("%+v: want each message and both uploads wrong", r)
	}
}

func TestACrowdSeesConnectionsBreak(t *testing.T) {
	at := serve(t, func(c net.Conn) {
		readHead(c)
		c.Close()
	})
	r := crowdOf(t, at, 100*time.Millisecond)
	if r.Failed != r.Requests || r.Failed == 0 || r.Broken != r.Streams || r.Broken == 0 || r.UploadsBad != r.Uploads || r.Uploads == 0 {
		t.Errorf("%+v: want everything failed", r)
	}
	if len(r.Errors) != errorsMax {
		t.Errorf("%d errors are kept, want %d", len(r.Errors), errorsMax)
	}
}

func TestAWrongCrowdIsRefused(t *testing.T) {
	to := netip.MustParseAddrPort("127.0.0.1:80")
	for _, cfg := range []CrowdConfig{{}, {Target: to, Dial: dial}, {Target: to, Dial: dial, Keep: crowdMax + 1}, {Target: to, Dial: dial, Keep: 1, KeepPause: -1}} {
		if _, err := NewCrowd(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}
