package lbcore_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore"
)

func withHTTP2(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
	f.HTTP2 = lbcore.HTTP2Config{TLS: true, H2C: true}
}

func toHTTP2(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
	p.Protocol = lbcore.ProtocolHTTP2
}

// h2Client speaks HTTP/2 only, over plain connections too.
func h2Client(t testing.TB) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}
	tr.Protocols.SetUnencryptedHTTP2(true)
	tr.Protocols.SetHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// h2Backend speaks HTTP/1.1 and HTTP/2 on plain connections.
func h2Backend(t testing.TB, id string, h http.HandlerFunc) lbcore.BackendConfig {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return backendAt(id, s.Listener.Addr())
}

// bothProtocols runs a test with clients of HTTP/2 before backends of either protocol.
func bothProtocols(t *testing.T, f func(t *testing.T, options ...bedOption)) {
	t.Run("http1", func(t *testing.T) { f(t, withHTTP2) })
	t.Run("h2", func(t *testing.T) { f(t, withHTTP2, toHTTP2) })
}

func get2(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("the answer is of %s", resp.Proto)
	}
	return resp, string(body)
}

func TestHTTP2Requests(t *testing.T) {
	bothProtocols(t, func(t *testing.T, options ...bedOption) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
		l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/echo":
				b, _ := io.ReadAll(r.Body)
				_, _ = w.Write(b)
			case "/big":
				_, _ = w.Write(big)
			case "/none":
				w.WriteHeader(204)
			default:
				fmt.Fprint(w, r.Host, r.Header["Via"], r.Header["X-Forwarded-For"], r.Header["Cookie"], r.Header["Te"], r.Header["X-Forwarded-Proto"])
			}
		})}, append(options, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.Via = "tandem" })...)
		c := h2Client(t)

		req, _ := http.NewRequest("GET", l.url("/"), nil)
		req.Header.Set("X-Forwarded-For", "1.2.3.4")
		req.Header["Cookie"] = []string{"a=1; b=2"}
		req.Host = "example.com"
		resp, err := c.Do(req)
		must(t, err)
		body, _ := io.ReadAll(resp.Body)
		if want := "example.com[2.0 tandem] [127.0.0.1] [a=1; b=2]"; !strings.HasPrefix(string(body), want) || !strings.HasSuffix(string(body), "[http]") {
			t.Errorf("the backend sees %s, want %s…", body, want)
		}
		if _, got := get2(t, c, l.url("/big")); got != string(big) {
			t.Errorf("%d bytes of %d, or others", len(got), len(big))
		}
		if resp, got := get2(t, c, l.url("/none")); resp.StatusCode != 204 || got != "" {
			t.Errorf("%s %q", resp.Status, got)
		}
		for _, r := range []io.Reader{bytes.NewReader(big), struct{ io.Reader }{bytes.NewReader(big)}} { // with and without a length
			resp, err := c.Post(l.url("/echo"), "", r)
			must(t, err)
			if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, big) {
				t.Errorf("%d bytes of %d, or others (%v)", len(got), len(big), err)
			}
		}
		resp, err = c.Head(l.url("/big"))
		must(t, err)
		if resp.StatusCode != 200 {
			t.Errorf("HEAD: %s", resp.Status)
		}
		if n := l.counters(); n.HTTP2.Connections != 1 || n.HTTP2.Streams != 6 || n.Requests != 6 || n.Responses[2] != 6 || n.HTTP2.ResetsOut != 0 {
			t.Errorf("counters %+v", n)
		}
	})
}

// A hundred at once, over one connection.
func TestHTTP2Concurrency(t *testing.T) {
	bothProtocols(t, func(t *testing.T, options ...bedOption) {
		l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			_, _ = w.Write(bytes.Repeat(b, 20))
		})}, options...)
		c := h2Client(t)
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				msg := strings.Repeat(fmt.Sprint(i, " "), 500)
				resp, err := c.Post(l.url("/"), "", strings.NewReader(msg))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if b, err := io.ReadAll(resp.Body); err != nil || string(b) != strings.Repeat(msg, 20) {
					t.Errorf("%d bytes, or others: %v", len(b), err)
				}
			})
		}
		wg.Wait()
		if n := l.counters(); n.HTTP2.Refused != 0 || n.Responses[2] != 300 {
			t.Errorf("%+v", n)
		}
	})
}

func TestHTTP2TrailersAndInterimAnswers(t *testing.T) {
	bothProtocols(t, func(t *testing.T, options ...bedOption) {
		l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</x>")
			w.WriteHeader(103)
			w.Header().Set("Trailer", "Sum")
			w.Header().Set("X", "y")
			_, _ = io.Copy(w, r.Body)
			w.(http.Flusher).Flush() // else there is a length, and trailers go on only without one
			w.Header().Set("Sum", "request's="+r.Trailer.Get("Mine"))
		})}, options...)
		hints := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			if code == 103 {
				hints++
			}
			return nil
		}})
		req, _ := http.NewRequestWithContext(ctx, "POST", l.url("/"), struct{ io.Reader }{strings.NewReader("body")})
		req.Trailer = http.Header{"Mine": {"hello"}}
		resp, err := h2Client(t).Do(req)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		want := "request's="
		if strings.HasSuffix(t.Name(), "/h2") {
			want += "hello" // only such a backend is told them
		}
		if got := resp.Trailer.Get("Sum"); got != want || string(body) != "body" || hints != 1 {
			t.Errorf("trailer %q, want %q; body %q, %d hints", got, want, body, hints)
		}
	})
}

// A client that gives up has its request cancelled at the backend; the connection goes on.
func TestHTTP2ResetCancels(t *testing.T) {
	bothProtocols(t, func(t *testing.T, options ...bedOption) {
		cancelled := make(chan struct{}, 1)
		l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				return
			}
			_, _ = w.Write([]byte("begin"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			cancelled <- struct{}{}
		})}, options...)
		c := h2Client(t)
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", l.url("/wait"), nil)
		resp, err := c.Do(req)
		must(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 5))
		must(t, err)
		cancel()
		select {
		case <-cancelled:
		case <-time.After(10 * time.Second):
			t.Fatal("the backend is not told")
		}
		get2(t, c, l.url("/"))
		n := l.counters()
		if n.HTTP2.Connections != 1 || n.HTTP2.ResetsIn != 1 || n.Errors.Aborted != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// A backend that breaks off has only that stream reset; one that answers early has its answer heard.
func TestHTTP2CutAndEarlyAnswers(t *testing.T) {
	bothProtocols(t, func(t *testing.T, options ...bedOption) {
		l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/cut":
				_, _ = w.Write([]byte("begin"))
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			case "/early":
				_ = http.NewResponseController(w).EnableFullDuplex()
				w.WriteHeader(403)
			}
		})}, options...)
		c := h2Client(t)
		resp, err := c.Get(l.url("/cut"))
		must(t, err)
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a cut answer looks whole: %q", b)
		}
		r, w := io.Pipe()
		defer w.Close()
		resp, err = c.Post(l.url("/early"), "", r)
		must(t, err)
		if resp.StatusCode != 403 {
			t.Errorf("early answer: %s", resp.Status)
		}
		get2(t, c, l.url("/"))
		if n := l.counters(); n.HTTP2.Connections != 1 || n.Errors.Cut != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// Bytes go both ways at once, as streams of gRPC do.
func TestHTTP2StreamsBothWays(t *testing.T) {
	bothProtocols(t, func(t *testing.T, options ...bedOption) {
		l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			b := make([]byte, 100)
			for {
				n, err := r.Body.Read(b)
				_, _ = w.Write(b[:n])
				w.(http.Flusher).Flush()
				if err != nil {
					return
				}
			}
		})}, options...)
		r, w := io.Pipe()
		resp, err := h2Client(t).Post(l.url("/"), "", r)
		must(t, err)
		for i := range 20 {
			msg := fmt.Sprintf("message %02d", i)
			_, err := io.WriteString(w, msg)
			must(t, err)
			got := make([]byte, len(msg))
			_, err = io.ReadFull(resp.Body, got)
			must(t, err)
			if string(got) != msg {
				t.Fatalf("%q in place of %q", got, msg)
			}
		}
		w.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("%q %v", rest, err)
		}
	})
}

// A drain asks the client to go, and loses nothing: what is under way ends, what comes is served or goes elsewhere.
func TestHTTP2Drain(t *testing.T) {
	release := make(chan struct{})
	l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
	})}, withHTTP2)
	c := h2Client(t)
	slow := make(chan error, 1)
	go func() {
		resp, err := c.Get(l.url("/slow"))
		if err == nil && resp.StatusCode != 200 {
			err = errors.New(resp.Status)
		}
		slow <- err
	}()
	eventually(t, "a request under way", func() bool { return l.Connections().InFlight == 1 })
	l.Drain()
	for range 20 {
		get2(t, c, l.url("/"))
	}
	close(release)
	must(t, <-slow)
	eventually(t, "connections end", func() bool { return l.Connections().Total == 0 })
	if n := l.counters(); n.HTTP2.Leaves < 2 || n.Errors.Aborted != 0 {
		t.Errorf("%+v", n)
	}
}

// A backend that is gone, or goes away with GOAWAY, costs no request that may be repeated.
func TestHTTP2BackendGoesAway(t *testing.T) {
	var servers []*httptest.Server
	var backends []lbcore.BackendConfig
	for _, id := range []string{"a", "b"} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, id) }))
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		t.Cleanup(s.Close)
		servers = append(servers, s)
		backends = append(backends, backendAt(id, s.Listener.Addr()))
	}
	l := newBed(t, backends, withHTTP2, toHTTP2)
	c := h2Client(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for k := range 100 {
				resp, err := c.Get(l.url("/"))
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("%d.%d: %v %v", i, k, resp, err)
					return
				}
				resp.Body.Close()
				if i == 0 && k == 30 {
					_ = servers[0].Config.Shutdown(t.Context())
				}
			}
		})
	}
	wg.Wait()
}

func TestHTTP2OverTLS(t *testing.T) {
	cert := newAuthority(t).sign("localhost")
	l := newBed(t, []lbcore.BackendConfig{h2Backend(t, "b", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"))
	})}, withHTTP2, func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) {
		f.TLS = &lbcore.TLSConfig{Certificates: []tls.Certificate{cert}}
	})
	if _, body := get2(t, h2Client(t), "https://"+l.addr+"/"); body != "https" {
		t.Errorf("the backend sees %q", body)
	}
}
