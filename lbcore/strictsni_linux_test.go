package lbcore_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// With strict_sni there is no default: who asks for no name that a certificate has is told so.
func TestStrictSNIShakesHandsForItsNamesOnly(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), secure(&lbcore.TLSConfig{
		StrictSNI: true, Certificates: []tls.Certificate{a.sign("www.example.com"), a.sign("*.example.org")},
	}))
	for _, name := range []string{"www.example.com", "a.example.org"} {
		c := l.mustTLS(trusting(a, name))
		c.say(get)
		if resp, _ := c.answer(t); resp.StatusCode != 200 {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	for _, name := range []string{"", "example.com", "a.b.example.org", "elsewhere.net"} {
		_, err := l.dialTLS(&tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	eventually(t, "all are counted", func() bool { return l.counters().TLS.Failed.UnknownName == 4 })
	if n := l.counters().TLS; n.Handshakes != 2 || n.Failed.Total() != 4 {
		t.Errorf("counted %+v", n)
	}
}
