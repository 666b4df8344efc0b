package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")) // or each of our many processes ends a second late under -race
	lab.Init()
	if role := os.Getenv("LAB_TEST_ROLE"); role != "" {
		os.Exit(runRole(role))
	}
	os.Exit(lab.TestMain(m))
}

const patience = 20 * time.Second // for what must happen; never waited out by a test that passes

func TestTwoHostsTalkOverTCPAndUDP(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24", "fd00::1/64"), newHost(t, l, "b", "10.0.0.2/24", "fd00::2/64")
	for _, at := range []string{"10.0.0.2:80", "[fd00::2]:80"} {
		echo(t, b, at)
		mustAsk(t, a, at)
		if err := askUDP(t, a, b, at); err != nil {
			t.Errorf("udp to %s: %v", at, err)
		}
	}
}

func TestAHostIsAMachineOfItsOwn(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
	for _, h := range []*lab.Host{a, b} {
		out := run(t, h, "describe")
		want := fmt.Sprintf("hostname=%s parent=1 run=[] others=[1] links=[lo eth0] strays=[]\n", h.Name())
		if out != want {
			t.Errorf("host %s says\n%swant\n%s", h.Name(), out, want)
		}
	}
	addrs, err := a.Addrs()
	if err != nil || len(addrs) != 1 || addrs[0] != netip.MustParsePrefix("10.0.0.1/24") {
		t.Errorf("Addrs() = %v, %v", addrs, err)
	}
}

func TestANeighbourIsKnownOnceItWasSpokenTo(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24", "fd00::1/64"), newHost(t, l, "b", "10.0.0.2/24", "fd00::2/64")
	for _, ip := range []string{"10.0.0.2", "fd00::2"} {
		addr := netip.MustParseAddr(ip)
		if mac, err := a.Neighbour(addr); mac != nil || err != nil {
			t.Errorf("%s: %v, %v before a word was said", ip, mac, err)
		}
		at := netip.AddrPortFrom(addr, 80).String()
		echo(t, b, at)
		mustAsk(t, a, at)
		if mac, err := a.Neighbour(addr); mac.String() != b.MAC().String() || err != nil {
			t.Errorf("%s: %v, %v; b's is %v", ip, mac, err, b.MAC())
		}
	}
}

func TestAHostPassesNothingOn(t *testing.T) {
	h := newHost(t, newLab(t), "a", "10.0.0.1/24")
	for _, file := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		var setting []byte
		err := h.Do(func() (err error) { setting, err = os.ReadFile(file); return err })
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil || string(setting) != "0\n" {
			t.Errorf("%s: %q, %v", file, setting, err)
		}
	}
}

func TestTwoLabsLiveSideBySide(t *testing.T) {
	first, second := newLab(t), newLab(t)
	a, b := newHost(t, first, "a", "10.0.0.1/24"), newHost(t, first, "b", "10.0.0.2/24")
	other := newHost(t, second, "a", "10.0.0.1/24")
	echo(t, b, "10.0.0.2:80")
	mustAsk(t, a, "10.0.0.2:80")
	mustNotReach(t, other, "10.0.0.2:80")
	echo(t, newHost(t, second, "b", "10.0.0.2/24"), "10.0.0.2:80")
	awaitReach(t, other, "10.0.0.2:80")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, other, "10.0.0.2:80")
}

func TestManyHostsComeUpAtOnce(t *testing.T) {
	l := newLab(t)
	const n = 12
	hosts := make([]*lab.Host, n)
	begin := time.Now()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { hosts[i] = newHost(t, l, fmt.Sprintf("h%d", i), fmt.Sprintf("10.0.0.%d/24", i+1)) })
	}
	all.Wait()
	t.Logf("%d hosts in %v", n, time.Since(begin))
	for i, h := range hosts {
		at := fmt.Sprintf("10.0.0.%d:80", i+1)
		echo(t, h, at)
		mustAsk(t, hosts[(i+1)%n], at)
	}
}

func TestNamesAreChecked(t *testing.T) {
	l := newLab(t)
	newHost(t, l, "a")
	for _, name := range []string{"", "a", "A", "1a", "a.b", "a234567890123"} {
		if _, err := l.Host(name); err == nil {
			t.Errorf("a host may be called %q", name)
		}
	}
	for _, names := range [][]string{{"a", "a"}, {""}, {"lo!"}, strings.Split("abcdefghi", "")} {
		if l, err := lab.New(lab.Config{Segments: names}); err == nil {
			l.Close()
			t.Errorf("segments may be called %q", names)
		}
	}
}

// newLab makes a lab for one test.
func newLab(t *testing.T, segments ...string) *lab.Lab {
	t.Helper()
	lab.Need(t)
	l, err := lab.New(lab.Config{Segments: segments})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

func newHost(t *testing.T, l *lab.Lab, name string, addrs ...string) *lab.Host {
	t.Helper()
	h, err := l.Host(name, prefixes(addrs)...)
	if err != nil {
		t.Error(err)
	}
	return h
}

func prefixes(addrs []string) (list []netip.Prefix) {
	for _, a := range addrs {
		list = append(list, netip.MustParsePrefix(a))
	}
	return list
}

// echo serves one word per connection in h.
func echo(t *testing.T, h *lab.Host, at string) {
	t.Helper()
	l, err := h.Listen("tcp", netip.MustParseAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
}

// ask expects the word of echo in time.
func ask(h *lab.Host, at string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := h.Dial(ctx, "tcp", netip.MustParseAddrPort(at))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	word, err := io.ReadAll(c)
	if err == nil && string(word) != "hello" {
		err = fmt.Errorf("got %q", word)
	}
	return err
}

func askUDP(t *testing.T, from, to *lab.Host, at string) error {
	p, err := to.ListenPacket("udp", netip.MustParseAddrPort(at))
	if err != nil {
		return err
	}
	defer p.Close()
	c, err := from.Dial(t.Context(), "udp", netip.MustParseAddrPort(at))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	p.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 16)
	n, from2, err := p.ReadFrom(buf)
	if err == nil && (string(buf[:n]) != "hello" || from2.(*net.UDPAddr).Port != c.LocalAddr().(*net.UDPAddr).Port) {
		err = fmt.Errorf("got %q from %v", buf[:n], from2)
	}
	return err
}

// run runs this binary in a role of runRole in h and returns what it says.
func run(t *testing.T, h *lab.Host, role string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	p, err := h.Start(lab.Command{Args: args, Env: append(os.Environ(), "LAB_TEST_ROLE="+role), Stdout: &out, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("%s: %v", role, err)
	}
	return out.String()
}

// await waits until a condition holds.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v passed, and still not: %s", patience, what)
		}
	}
}
