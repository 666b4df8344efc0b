package lbcore_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// What a client says of itself reaches a backend only if it is a proxy that is
// trusted; ours stands behind it.
func TestWhoIsBelievedAndWhatIsTold(t *testing.T) {
	const said = "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6;proto=https\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nVia: 1.0 cdn\r\n"
	loopback, other := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")
	for _, tc := range []struct {
		name string
		set  func(*lbcore.FrontendConfig)
		want map[string]string
	}{
		{"nobody is, by default", func(*lbcore.FrontendConfig) {}, map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Via": "1.0 cdn",
		}},
		{"another network is", func(f *lbcore.FrontendConfig) { f.Trusted = []netip.Prefix{other} }, map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Via": "1.0 cdn",
		}},
		{"its network is", func(f *lbcore.FrontendConfig) { f.Trusted = []netip.Prefix{other, loopback} }, map[string]string{
			"X-Forwarded-For": "6.6.6.6, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil",
			"Forwarded": "for=6.6.6.6;proto=https", "Via": "1.0 cdn",
		}},
		{"in the standard's field", func(f *lbcore.FrontendConfig) { f.Forwarded = "forwarded" }, map[string]string{
			"Forwarded": "for=127.0.0.1;proto=http", "Via": "1.0 cdn",
		}},
		{"in both, trusted, with a name", func(f *lbcore.FrontendConfig) {
			f.Forwarded, f.Trusted, f.Via = "both", []netip.Prefix{loopback}, "tandem"
		}, map[string]string{
			"X-Forwarded-For": "6.6.6.6, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil",
			"Forwarded": "for=6.6.6.6;proto=https, for=127.0.0.1;proto=http", "Via": "1.0 cdn|1.1 tandem",
		}},
		{"nothing is told", func(f *lbcore.FrontendConfig) { f.Forwarded = "none" }, map[string]string{"Via": "1.0 cdn"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var seen http.Header
			l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() })),
				func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { tc.set(f) })
			c := l.dial()
			c.say("GET / HTTP/1.1\r\nHost: x\r\n" + said + "\r\n")
			c.answer(t, "GET")
			seen.Del("X-Forwarded-Port")
			for name := range seen {
				if got := strings.Join(seen[name], "|"); got != tc.want[name] {
					t.Errorf("%s: %q, want %q", name, got, tc.want[name])
				}
			}
			if len(seen) != len(tc.want) {
				t.Errorf("%v, want %v", seen, tc.want)
			}
		})
	}
}
