package hello

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// greeting is what crypto/tls's client says first.
func greeting(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	var w recorder
	_ = tls.Client(&w, cfg).Handshake()
	if w.Len() == 0 {
		t.Fatal("the client says nothing")
	}
	return w.Bytes()
}

// recorder keeps what is written, and has nothing to read.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (r *recorder) Write(p []byte) (int, error)      { return r.Buffer.Write(p) }
func (r *recorder) SetDeadline(time.Time) error      { return nil }
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
func (r *recorder) Close() error                     { return nil }

// asServer is what crypto/tls's server takes the name for.
func asServer(b []byte) (name string, greeted bool) {
	c := &replay{in: bytes.NewReader(b)}
	_ = tls.Server(c, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name, greeted = hello.ServerName, true
		return nil, errors.New("enough")
	}}).Handshake()
	return name, greeted
}

type replay struct {
	recorder
	in *bytes.Reader
}

func (r *replay) Read(p []byte) (int, error) { return r.in.Read(p) }

// split cuts the message in one record into records of n bytes.
func split(b []byte, n int) (out []byte) {
	for p := b[recordHeader:]; len(p) > 0; {
		k := min(n, len(p))
		out = append(out, b[0], b[1], b[2], byte(k>>8), byte(k))
		out = append(out, p[:k]...)
		p = p[k:]
	}
	return out
}

func TestTheNameIsFoundHoweverTheGreetingIsCut(t *testing.T) {
	for _, name := range []string{"www.example.com", "WWW.Example.COM", "a_b.example", ""} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			whole := greeting(t, &tls.Config{ServerName: name, InsecureSkipVerify: true, MaxVersion: version})
			for _, b := range [][]byte{whole, split(whole, 100), split(whole, 1)} {
				for i := 0; i < len(b); i += 1 + i%7 {
					if got, done, err := ServerName(b[:i]); done || err != nil || got != "" {
						t.Fatalf("%q: the first %d of %d bytes: %q, %v, %v", name, i, len(b), got, done, err)
					}
				}
				got, done, err := ServerName(append(b[:len(b):len(b)], "\x16\x03\x03 more"...))
				if err != nil || !done || got != strings.ToLower(name) {
					t.Errorf("%q: %q, %v, %v", name, got, done, err)
				}
			}
		}
	}
}

func TestWhatIsNoGreetingIsRefusedAtOnce(t *testing.T) {
	good := greeting(t, &tls.Config{ServerName: "x.example", InsecureSkipVerify: true})
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	at := bytes.Index(good, []byte("x.example"))
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"HTTP":                  {[]byte("GET / HTTP/1.1\r\n"), ErrNotTLS},
		"SSH":                   {[]byte("SSH-2.0-"), ErrNotTLS},
		"SSLv2":                 {[]byte{0x80, 0x2e, 1}, ErrNotTLS},
		"an alert":              {change(0, 21), ErrNotTLS},
		"a server's greeting":   {change(5, 2), ErrMalformed},
		"an empty record":       {[]byte{22, 3, 1, 0, 0}, ErrMalformed},
		"a record too large":    {[]byte{22, 3, 1, 0x40, 1}, ErrMalformed},
		"a message too large":   {[]byte{22, 3, 1, 0, 4, 1, 1, 0, 0}, ErrLong},
		"a list that is cut":    {change(recordHeader+messageHeader+34, 255), ErrMalformed},
		"a name with a zero":    {change(at+1, 0), ErrMalformed},
		"a name with a slash":   {change(at+1, '/'), ErrMalformed},
		"a name that ends in .": {change(at+8, '.'), ErrMalformed},
		"a name of other type":  {change(at-3, 1), ErrMalformed},
		"a longer name":         {change(at-1, 10), ErrMalformed},
	} {
		if got, done, err := ServerName(c.in); !errors.Is(err, c.want) || done || got != "" {
			t.Errorf("%s: %q, %v, %v; want %v", name, got, done, err, c.want)
		}
	}
}

// What this package takes for a name crypto/tls takes for the same: a backend must not see another name than the one
// that was routed by.
func FuzzServerName(f *testing.F) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		b := greeting(f, &tls.Config{ServerName: "www.example.com", InsecureSkipVerify: true, MaxVersion: version})
		f.Add(b)
		f.Add(split(b, 50))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, done, err := ServerName(b)
		if (err != nil || !done) && name != "" || err != nil && done {
			t.Fatalf("%q, %v, %v", name, done, err)
		}
		if !done {
			return
		}
		if theirs, greeted := asServer(b); greeted && strings.ToLower(theirs) != name {
			t.Fatalf("routed by %q, but a server takes it for %q", name, theirs)
		}
	})
}
