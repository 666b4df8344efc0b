package syslog

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
)

// collector is a listening socket that takes messages as a collector does, parsed by another implementation.
type collector struct {
	t    *testing.T
	l    net.Listener
	got  chan string
	once sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func collect(t *testing.T, l net.Listener) *collector {
	c := &collector{t: t, l: l, got: make(chan string, 10000)}
	c.once.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			c.once.Go(func() { c.read(conn) })
		}
	})
	t.Cleanup(c.close)
	return c
}

// read takes what RFC 6587, 3.4.1 calls octet counting.
func (c *collector) read(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		length, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil || n < 1 {
			c.t.Errorf("the length is %q", length)
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		c.got <- parsed(c.t, b)
	}
}

func (c *collector) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func (c *collector) close() {
	c.l.Close()
	c.hangUp()
	c.once.Wait()
}

// want waits for messages of exactly these texts.
func (c *collector) want(texts ...string) {
	c.t.Helper()
	for _, want := range texts {
		select {
		case got := <-c.got:
			if got != want {
				c.t.Fatalf("got %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			c.t.Fatalf("%q does not come", want)
		}
	}
}

// parsed says what another implementation makes of a message.
func parsed(t *testing.T, b []byte) string {
	m, err := rfc5424.NewParser().Parse(b)
	if err != nil {
		t.Errorf("%q: %v", b, err)
		return ""
	}
	s := m.(*rfc5424.SyslogMessage)
	or := func(p *string) string {
		if p == nil {
			return "-"
		}
		return *p
	}
	return fmt.Sprintf("%s %s %s[%s]: %s", *s.FacilityMessage(), *s.SeverityShortLevel(), or(s.Appname), or(s.ProcID), or(s.Message))
}

func sender(t *testing.T, cfg Config) *Sender {
	cfg.Host, cfg.Facility = "web1", 16
	if cfg.Buffer == 0 {
		cfg.Buffer = 1 << 20
	}
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx, time.Second) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

func listen(t *testing.T, addr string) net.Listener {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// untilNoticed waits until the sender knows that its connection has gone: what it sends before that may be lost.
func untilNoticed(s *Sender) {
	for s.Stats().Connected {
		time.Sleep(time.Millisecond)
	}
}

func line(n int) Message {
	return Message{Time: time.Now(), App: "app", PID: 7, Text: fmt.Sprint("line ", n)}
}

func said(n int) string { return fmt.Sprintf("local use 0 (local0) info app[7]: line %d", n) }

func TestLinesArriveOverTCPAlsoAfterTheCollectorWasAway(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	addr := l.Addr().String()
	c := collect(t, l)
	s := sender(t, Config{Network: "tcp", Address: addr})
	s.Send(line(1))
	s.Send(Message{Time: time.Now(), App: "a b\n", Failing: true, Text: "tab\there, ümlaut, \x1b[1m and \xff"})
	c.want(said(1), "local use 0 (local0) err a_b_[-]: tab\there, ümlaut,  [1m and \uFFFD")
	c.close()
	untilNoticed(s)
	for i := 2; i < 5; i++ {
		s.Send(line(i))
	}
	c = collect(t, listen(t, addr))
	c.want(said(2), said(3), said(4))
	c.hangUp()
	untilNoticed(s)
	s.Send(line(5))
	c.want(said(5))
	// A line may arrive before its sender knows that it is sent.
	want := Stats{Sent: 6, Connected: true}
	for end := time.Now().Add(10 * time.Second); s.Stats() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("stats are %+v, want %+v", s.Stats(), want)
		}
	}
}

func TestTheOldestLinesAreDroppedAndTheCollectorToldHowMany(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	addr := l.Addr().String()
	l.Close()
	s := sender(t, Config{Network: "tcp", Address: addr, Buffer: 10 * (overhead + len("line 1000"))})
	for i := 1000; i < 1050; i++ {
		s.Send(line(i))
	}
	if st := s.Stats(); st.Dropped != 40 || st.Waiting != 10 {
		t.Errorf("stats are %+v, want 40 dropped and 10 waiting", st)
	}
	c := collect(t, listen(t, addr))
	c.want("local use 0 (local0) warning tandem-agent[-]: 40 lines were dropped, since this collector did not take them in time")
	for i := 1040; i < 1050; i++ {
		c.want(said(i))
	}
}

func TestWhatWaitsIsSentBeforeTheEndIfItCanBe(t *testing.T) {
	c := collect(t, listen(t, "127.0.0.1:0"))
	s := New(Config{Network: "tcp", Address: c.l.Addr().String(), Buffer: 1 << 20, Host: "h", Facility: 16, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 100 {
		s.Send(line(i))
	}
	s.Run(ctx, 20*time.Second)
	for i := range 100 {
		c.want(said(i))
	}
	c.close()
	s.Send(line(0))
	begun := time.Now()
	s.Run(ctx, 50*time.Millisecond)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("without a collector the end took %v", took)
	}
}

func TestOverTLSTheCollectorIsVerified(t *testing.T) {
	cert, pool := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	c := collect(t, l)
	trusting := sender(t, Config{Network: "tls", Address: l.Addr().String(), TLS: &tls.Config{RootCAs: pool}})
	trusting.Send(line(1))
	c.want(said(1))
	wary := sender(t, Config{Network: "tls", Address: l.Addr().String(), TLS: &tls.Config{}})
	wary.Send(line(2))
	for !strings.Contains(wary.Stats().Error, "certificate") {
		time.Sleep(time.Millisecond)
	}
	trusting.Send(line(3))
	c.want(said(3))
}

func TestOverUDPEachMessageIsADatagramOfBoundedSize(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := sender(t, Config{Network: "udp", Address: conn.LocalAddr().String()})
	s.Send(line(1))
	s.Send(Message{Time: time.Now(), App: "app", Text: strings.Repeat("ü", 3000)})
	b := make([]byte, 65536)
	for i := range 2 {
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		got := parsed(t, b[:n])
		if i == 0 && got != said(1) || i == 1 && (n > maxDatagram || n < maxDatagram-1 || !strings.HasSuffix(got, "üüü")) {
			t.Errorf("datagram %d of %d bytes: %q", i, n, got)
		}
	}
}

// certificate makes one for 127.0.0.1 that vouches for itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "collector"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
