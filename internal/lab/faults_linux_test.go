package lab_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

func TestAPortThatIsDownPassesNothingAndComesBack(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
	echo(t, b, "10.0.0.2:80")
	mustAsk(t, a, "10.0.0.2:80")
	if err := b.PortDown(); err != nil {
		t.Fatal(err)
	}
	mustNotReach(t, a, "10.0.0.2:80")
	await(t, "b sees no carrier", func() bool { return eth0(t, b).Flags&net.FlagRunning == 0 })
	begin := time.Now()
	if err := b.PortUp(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	awaitReach(t, a, "10.0.0.2:80")
	t.Logf("PortUp took %v; reachable again after %v", took, time.Since(begin))
}

func TestACutLinkDropsOnlyWhatGoesBetweenTheTwo(t *testing.T) {
	l := newLab(t)
	a, b, c := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24"), newHost(t, l, "c", "10.0.0.3/24")
	echo(t, b, "10.0.0.2:80")
	echo(t, c, "10.0.0.3:80")
	mustAsk(t, a, "10.0.0.2:80")
	if err := a.CutLink(b); err != nil {
		t.Fatal(err)
	}
	mustNotReach(t, a, "10.0.0.2:80")
	mustAsk(t, a, "10.0.0.3:80")
	mustAsk(t, b, "10.0.0.3:80")
	mustAsk(t, c, "10.0.0.2:80")
	if err := b.HealLink(a); err != nil {
		t.Fatal(err)
	}
	awaitReach(t, a, "10.0.0.2:80")
}

func TestWhoIsCutOffOnOneSegmentIsReachedOnTheOther(t *testing.T) {
	l := newLab(t, "front", "back")
	a, b, c := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24"), newHost(t, l, "c", "10.0.0.3/24")
	for i, h := range []*lab.Host{a, b} {
		if err := h.Attach("back", prefixes([]string{fmt.Sprintf("10.0.1.%d/24", i+1)})...); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{"10.0.0.2:80", "10.0.1.2:80"} {
		echo(t, b, at)
		mustAsk(t, a, at)
	}
	if err := b.CutOff("front"); err != nil {
		t.Fatal(err)
	}
	mustNotReach(t, a, "10.0.0.2:80")
	mustNotReach(t, c, "10.0.0.2:80")
	mustAsk(t, a, "10.0.1.2:80")
	if err := b.Reattach("front"); err != nil {
		t.Fatal(err)
	}
	awaitReach(t, a, "10.0.0.2:80")
	if err := askUDP(t, a, b, "10.0.0.2:9"); err != nil { // and a knows b's MAC from now on
		t.Fatal(err)
	}
	if err := b.SilenceOn("front"); err != nil {
		t.Fatal(err)
	}
	if err := askUDP(t, a, b, "10.0.0.2:10"); err != nil {
		t.Errorf("what is sent to b: %v", err)
	}
	mustNotReach(t, a, "10.0.0.2:80")
	if err := b.Reattach("front"); err != nil {
		t.Fatal(err)
	}
	awaitReach(t, a, "10.0.0.2:80")
	if err := c.CutOff("back"); err == nil {
		t.Error("c was cut off where it is not")
	}
}

func TestADropIsOneWay(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
	if err := askUDP(t, b, a, "10.0.0.1:9"); err != nil { // and b knows a's MAC from now on
		t.Fatal(err)
	}
	if err := a.Drop(b); err != nil {
		t.Fatal(err)
	}
	if err := askUDP(t, b, a, "10.0.0.1:9"); err != nil {
		t.Errorf("the other way: %v", err)
	}
	echo(t, b, "10.0.0.2:80")
	mustNotReach(t, a, "10.0.0.2:80")
	if err := a.Undrop(b); err != nil {
		t.Fatal(err)
	}
	awaitReach(t, a, "10.0.0.2:80")
}

func TestSegmentsAreSeparateNetworks(t *testing.T) {
	l := newLab(t, "front", "back")
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
	for i, h := range []*lab.Host{a, b} {
		if err := h.Attach("back", prefixes([]string{fmt.Sprintf("10.0.1.%d/24", i+1)})...); err != nil {
			t.Fatal(err)
		}
	}
	echo(t, b, "10.0.0.2:80")
	echo(t, b, "10.0.1.2:80")
	mustAsk(t, a, "10.0.0.2:80")
	mustAsk(t, a, "10.0.1.2:80")
	c := newHost(t, l, "c", "10.0.1.3/24") // plugged into front: the wrong one
	mustNotReach(t, c, "10.0.1.2:80")
	if err := c.Attach("side"); err == nil {
		t.Error("there is a segment side")
	}
	if err := c.Attach("back", netip.Prefix{}); err == nil {
		t.Error("the zero prefix is an address")
	}
	if err := c.Attach("back", prefixes([]string{"10.0.1.3/32", "10.0.2.3/24"})...); err != nil { // nothing of the failures is left
		t.Error(err)
	}
}

func TestPowerLossEndsEverythingInTheHostAtOnce(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
	heard, err := b.ListenPacket("udp", netip.MustParseAddrPort("10.0.0.2:9"))
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	last := lastStamp(heard)
	file := filepath.Join(t.TempDir(), "stamp")
	if err := os.WriteFile(file, make([]byte, 8), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startRole(t, a, "stamp", file, "10.0.0.2:9") // which starts a child and a grandchild
	await(t, "three generations run", func() bool { return len(processesLike(t, p.Pid())) == 4 })
	await(t, "they write", func() bool { return stamp(t, file) > 0 })
	space := processesLike(t, p.Pid())

	begin := time.Now()
	if err := a.PowerOff(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	for _, p := range space {
		if alive(p) {
			t.Errorf("process %s still runs", p.pid)
		}
	}
	heard.Close()
	t.Logf("last sign of life: on the wire %v, in memory %v after the call; all gone after %v",
		time.Duration(<-last-begin.UnixNano()), time.Duration(stamp(t, file)-begin.UnixNano()), took)
	var exit *lab.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Signal != 9 {
		t.Errorf("Wait() = %v", err)
	}
	if _, err := a.Start(lab.Command{}); !errors.Is(err, lab.ErrOff) {
		t.Errorf("Start without power = %v", err)
	}
	if err := a.PowerOff(); !errors.Is(err, lab.ErrOff) {
		t.Errorf("PowerOff without power = %v", err)
	}
}

func TestPowerComesBackToTheSameHostWithNothingRunning(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24", "fd00::2/64")
	echo(t, b, "10.0.0.2:80")
	mustAsk(t, a, "10.0.0.2:80")
	mac, before := interfaceMAC(t, b), fmt.Sprint(b.Addrs())
	if err := b.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/tcp_fin_timeout", []byte("7"), 0) }); err != nil {
		t.Fatal(err)
	}
	if err := b.PowerOff(); err != nil {
		t.Fatal(err)
	}
	mustNotReach(t, a, "10.0.0.2:80")
	if err := b.PowerOn(); err != nil {
		t.Fatal(err)
	}
	if err := b.PowerOn(); !errors.Is(err, lab.ErrOn) {
		t.Errorf("PowerOn twice = %v", err)
	}
	if now := interfaceMAC(t, b); now != mac || now != b.MAC().String() {
		t.Errorf("MAC was %s, is %s, MAC() = %s", mac, now, b.MAC())
	}
	if now := fmt.Sprint(b.Addrs()); now != before {
		t.Errorf("addresses were %s, are %s", before, now)
	}
	if err := ask(a, "10.0.0.2:80", patience); err == nil {
		t.Error("somebody still serves")
	}
	var setting []byte
	b.Do(func() (err error) { setting, err = os.ReadFile("/proc/sys/net/ipv4/tcp_fin_timeout"); return err })
	if string(setting) != "60\n" {
		t.Errorf("tcp_fin_timeout = %q: the kernel's settings survived", setting)
	}
	echo(t, b, "10.0.0.2:80")
	mustAsk(t, a, "10.0.0.2:80")
}

func TestAPulledPortStaysPulledOverAPowerLoss(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
	for _, step := range []func() error{b.PortDown, b.PowerOff, b.PowerOn} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	echo(t, b, "10.0.0.2:80")
	mustNotReach(t, a, "10.0.0.2:80")
	if err := b.PortUp(); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, newHost(t, l, "c", "10.0.0.3/24"), "10.0.0.2:80") // a waits for its next ARP request first
}

func mustAsk(t *testing.T, h *lab.Host, at string) {
	t.Helper()
	if err := ask(h, at, patience); err != nil {
		t.Errorf("%s asks %s: %v", h.Name(), at, err)
	}
}

// awaitReach asks again and again: a neighbour that was away is looked for once a second only.
func awaitReach(t *testing.T, h *lab.Host, at string) {
	t.Helper()
	await(t, h.Name()+" reaches "+at, func() bool { return ask(h, at, time.Second) == nil })
}

// mustNotReach gives frames a moment to arrive that should not. A refusal is an arrival too.
func mustNotReach(t *testing.T, h *lab.Host, at string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	c, err := h.Dial(ctx, "tcp", netip.MustParseAddrPort(at))
	if err == nil {
		c.Close()
	}
	if silent := net.Error(nil); !errors.As(err, &silent) || !silent.Timeout() {
		t.Errorf("%s dials %s: %v", h.Name(), at, err)
	}
}

func interfaceMAC(t *testing.T, h *lab.Host) string {
	t.Helper()
	return eth0(t, h).HardwareAddr.String()
}

func eth0(t *testing.T, h *lab.Host) (i *net.Interface) {
	t.Helper()
	if err := h.Do(func() (err error) { i, err = net.InterfaceByName("eth0"); return err }); err != nil {
		t.Fatal(err)
	}
	return i
}

// lastStamp reads stamps until the socket is closed, and then tells the last one.
func lastStamp(c net.PacketConn) <-chan int64 {
	result := make(chan int64, 1)
	go func() {
		var last int64
		for buf := make([]byte, 8); ; {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				result <- last
				return
			}
			if n == 8 {
				last = int64(binary.NativeEndian.Uint64(buf))
			}
		}
	}()
	return result
}

func stamp(t *testing.T, file string) int64 {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || len(b) != 8 {
		t.Fatalf("stamp: %v, %d bytes", err, len(b))
	}
	return int64(binary.NativeEndian.Uint64(b))
}
