package check

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	maxHead    = 64 << 10 // bytes of an answer's head, interim answers included
	maxInterim = 16       // of them
)

func (a *Asker) askHTTP(ctx context.Context, c net.Conn, addr netip.AddrPort) error {
	asked := a.q.Method + " " + a.q.Path + a.elsewhere()
	req := a.request(ctx, c, addr, a.q.Send)
	for _, h := range a.q.Headers {
		req.Header.Add(h[0], h[1])
	}
	resp, err := a.send(c, req)
	if err != nil {
		return fmt.Errorf("%s: no answer: %w", asked, because(ctx, err))
	}
	defer resp.Body.Close()
	if !a.q.Status.has(resp.StatusCode) {
		return unwell("%s: status %s, want %v", asked, statusWords(resp.StatusCode), a.q.Status)
	}
	if !a.expects() {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(a.q.ExpectBytes)))
	if err != nil {
		return fmt.Errorf("%s: the body does not end: %w", asked, because(ctx, err))
	}
	if lacks := a.lacks(body); lacks != "" {
		return unwell("%s: the body %s", asked, lacks)
	}
	return nil
}

// statusWords is one in digits, and in words where it has any of its own.
func statusWords(code int) string {
	return strings.TrimSpace(fmt.Sprint(code, " ", http.StatusText(code)))
}

// request is what HTTP and GRPC begin with.
func (a *Asker) request(ctx context.Context, c net.Conn, addr netip.AddrPort, body string) *http.Request {
	u := *a.url
	u.Scheme, u.Host = "http", addr.String()
	if _, secured := c.(*tls.Conn); secured {
		u.Scheme = "https"
	}
	req := (&http.Request{
		Method: a.q.Method, URL: &u, Host: a.q.Host, Header: http.Header{"User-Agent": {"tandem-check"}},
		ProtoMajor: 1, ProtoMinor: 1, Close: true,
	}).WithContext(ctx)
	if body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return req
}

// send sends the one request of a connection, and reads the head of its final answer.
func (a *Asker) send(c net.Conn, req *http.Request) (*http.Response, error) {
	if a.q.HTTP2 {
		return sendHTTP2(c, req)
	}
	if err := req.Write(c); err != nil {
		return nil, err
	}
	r := bufio.NewReader(io.LimitReader(c, int64(maxHead+2*a.q.ExpectBytes))) // chunks have heads of their own
	for range maxInterim {
		resp, err := http.ReadResponse(r, req)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("the connection ended, or the head does not")
		}
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
	return nil, errors.New("too many interim answers")
}

// sendHTTP2 is send by HTTP/2, which may be TLS's already or not.
func sendHTTP2(c net.Conn, req *http.Request) (*http.Response, error) {
	given := false
	once := func(context.Context, string, string) (net.Conn, error) {
		if given {
			return nil, errors.New("the connection ended")
		}
		given = true
		return c, nil
	}
	t := &http.Transport{
		DialContext: once, DialTLSContext: once, DisableKeepAlives: true, DisableCompression: true,
		MaxResponseHeaderBytes: maxHead, Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t.RoundTrip(req)
}
