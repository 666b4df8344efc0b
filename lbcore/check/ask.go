package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// maxPieces bounds how often what comes over TCP is looked through.
const maxPieces = 100

// Ask asks at addr, over TLS if cfg is not nil: with the name that stands there, else the
// address. It returns nil if the answer is good, an [*Unwell] if another one came, and ends
// when ctx does; its cause is in the error then.
func (a *Asker) Ask(ctx context.Context, addr netip.AddrPort, cfg *tls.Config) error {
	if a.q.Port != 0 {
		addr = netip.AddrPortFrom(addr.Addr(), a.q.Port)
	}
	c, err := a.dial(ctx, addr, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	switch a.q.Kind {
	case HTTP:
		return a.askHTTP(ctx, c, addr)
	case GRPC:
		return a.askGRPC(ctx, c, addr)
	}
	return a.askTCP(ctx, c)
}

// dial connects, and shakes hands.
func (a *Asker) dial(ctx context.Context, addr netip.AddrPort, cfg *tls.Config) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: -1} // which would cost four calls, for a connection that is not kept
	c, err := dialer.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("no connection%s: %w", a.elsewhere(), because(ctx, err))
	}
	if cfg == nil {
		return c, nil
	}
	cfg = cfg.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = addr.Addr().String()
	}
	switch {
	case a.q.Kind == TCP: // what it speaks inside is not known
		cfg.NextProtos = nil
	case a.q.HTTP2:
		cfg.NextProtos = []string{"h2"}
	default:
		cfg.NextProtos = []string{"http/1.1"}
	}
	secured := tls.Client(c, cfg)
	err = secured.HandshakeContext(ctx)
	if err == nil && a.q.HTTP2 && secured.ConnectionState().NegotiatedProtocol != "h2" {
		err = errors.New("it does not agree to HTTP/2 (ALPN h2)")
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("TLS handshake: %w", because(ctx, err))
	}
	return secured, nil
}

// elsewhere names a port that is not the backend's.
func (a *Asker) elsewhere() string {
	if a.q.Port == 0 {
		return ""
	}
	return fmt.Sprintf(" to port %d", a.q.Port)
}

// because is why something failed: that ctx has ended, if it has, else err without what says
// only where.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var (
		unverified *tls.CertificateVerificationError
		call       *os.SyscallError
		op         *net.OpError
	)
	switch {
	case errors.As(err, &unverified):
		return unverified.Err
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

func (a *Asker) askTCP(ctx context.Context, c net.Conn) error {
	if _, err := io.WriteString(c, a.q.Send); err != nil {
		return fmt.Errorf("cannot send: %w", because(ctx, err))
	}
	if !a.expects() {
		return nil
	}
	buf := make([]byte, 0, min(a.q.ExpectBytes, 4096))
	for range maxPieces {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(a.q.ExpectBytes, 2*cap(buf))), buf...)
		}
		n, err := c.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		lacks := a.lacks(buf)
		switch {
		case lacks == "":
			return nil
		case err != nil && !errors.Is(err, io.EOF) && len(buf) == 0:
			return fmt.Errorf("no answer: %w", because(ctx, err))
		case err != nil, len(buf) == a.q.ExpectBytes:
			return unwell("the answer %s", lacks)
		}
	}
	return unwell("the answer %s, in %d pieces", a.lacks(buf), maxPieces)
}

// lacks says what an answer is short of; "" if it is good.
func (a *Asker) lacks(answer []byte) string {
	what := ""
	switch {
	case !strings.Contains(string(answer), a.q.Expect):
		what = "lacks " + quote([]byte(a.q.Expect))
	case a.pattern != nil && !a.pattern.Match(answer):
		what = "does not match " + quote([]byte(a.q.Pattern))
	default:
		return ""
	}
	switch {
	case len(answer) == 0:
		return what + ": it is empty"
	case len(answer) >= a.q.ExpectBytes:
		return fmt.Sprintf("%s in its first %d bytes: it begins with %s", what, len(answer), quote(answer))
	}
	return what + ": it is " + quote(answer)
}
