package lbcore_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
	"github.com/tandem-lb/tandem/lbcore"
)

// haproxy runs HAProxy with a configuration, until the test ends.
func haproxy(t *testing.T, conf string) {
	t.Helper()
	const path = "/usr/sbin/haproxy"
	if _, err := os.Stat(path); err != nil {
		testneed.Missing(t, "%s: apt-get install haproxy", path)
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	must(t, os.WriteFile(file, []byte("defaults\n\ttimeout connect 5s\n\ttimeout client 20s\n\ttimeout server 20s\n"+conf), 0o644))
	cmd := exec.Command(path, "-q", "-db", "-f", file)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// HAProxy in front of us, and we in front of HAProxy, by both versions of the PROXY
// protocol, in TCP and HTTP, and over TLS: at the end of the chain the client's own
// address is known.
func TestHAProxyAndWeTellEachOtherWhoTheClientIs(t *testing.T) {
	a := newAuthority(t)
	app := httpBackend(t, "app", forwardedFor)
	for _, version := range []string{"", "-v2"} {
		number := map[string]int{"": 1, "-v2": 2}[version]
		t.Run("to us"+version, func(t *testing.T) {
			l := newBed(t, one(app), acceptProxy, secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
			front := fmt.Sprintf("127.0.0.1:%d", testneed.FreePort(t))
			haproxy(t, fmt.Sprintf("listen front\n\tmode tcp\n\tbind %s\n\tserver us %s send-proxy%s\n", front, l.addr, version))
			var c net.Conn
			eventually(t, "HAProxy listens", func() bool {
				var err error
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
				c, err = d.DialContext(t.Context(), "tcp", front)
				return err == nil
			})
			defer c.Close()
			s := tls.Client(c, trusting(a, "x"))
			raw := &rawTLS{Conn: s, r: bufio.NewReader(s)}
			raw.say(get)
			_, port, _ := strings.Cut(front, ":")
			if _, body := raw.answer(t); body != "127.0.0.9 "+port+" https" {
				t.Errorf("behind HAProxy the client is %q", body)
			}
		})
		t.Run("from us"+version, func(t *testing.T) {
			back := fmt.Sprintf("127.0.0.1:%d", testneed.FreePort(t))
			haproxy(t, fmt.Sprintf("listen back\n\tmode http\n\tbind %s accept-proxy\n\thttp-request set-header X-Forwarded-For %%[src]\n\thttp-request set-header X-Forwarded-Port %%[dst_port]\n\tserver app %s\n", back, app.Addr))
			for _, mode := range []lbcore.Mode{lbcore.ModeHTTP, lbcore.ModeTCP} {
				l := newBed(t, []lbcore.BackendConfig{{ID: "back", Addr: netip.MustParseAddrPort(back)}}, acceptProxy,
					func(_ *lbcore.Config, fe *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
						fe.Mode, p.SendProxy = mode, number
					})
				c := l.dial()
				c.say("PROXY TCP6 2001:db8::1 2001:db8::2 5000 8080\r\n" + get)
				if _, body := c.answer(t, "GET"); !strings.HasPrefix(body, "2001:db8::1 8080 ") {
					t.Errorf("%s: HAProxy takes the client for %q", mode, body)
				}
			}
		})
	}
}
