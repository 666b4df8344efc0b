package vip_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/vip"
	"github.com/tandem-lb/tandem/vip/viptest"
)

// A process that is stopped and continued, and what it says on waking.

const (
	stampInterval = 5 * time.Millisecond
	stampLimit    = 100 * time.Millisecond // of a gate
	thinking      = 500 * time.Millisecond // how long the holder's loop reads adverts after a pause
)

func init() { play = holder }

// holder is the process: it holds both VIPs behind a vip.Gate, whose loop takes its time
// before the first stamp after a pause, and says when that is.
func holder(role string) error {
	ifi, err := vip.Find(viptest.VIP4, "")
	if err != nil {
		return err
	}
	link, err := vip.OpenLink(ifi)
	if err != nil {
		return err
	}
	wire, err := vip.OpenWire(ifi)
	if err != nil {
		return err
	}
	muter, err := vip.OpenMuter(ifi, role, bothVIPs...)
	if err != nil {
		return err
	}
	gate := vip.NewGate(stampLimit, stampLimit)
	c, err := vip.NewClaimer(vip.Config{Addrs: bothVIPs, Muter: muter, Gate: gate.Allow}, link, wire, nil)
	if err != nil {
		return err
	}
	go c.Run(context.Background())
	gate.Stamp()
	if err := c.Claim(context.Background()); err != nil {
		return err
	}
	fmt.Println("claimed 0")
	for last := time.Now(); ; last = time.Now() {
		time.Sleep(stampInterval)
		if time.Since(last) > stampLimit { // a pause, or a very busy machine
			time.Sleep(thinking)
			r := gate.Refused()
			fmt.Println("stamping", time.Now().UnixNano(), r.Stale+r.Late)
		}
		gate.Stamp()
	}
}

// lines passes the lines of a process on.
func lines(t *testing.T, h *kernelHost, role string) (*lab.Process, <-chan []string) {
	t.Helper()
	r, w := io.Pipe()
	p, err := h.Start(lab.Command{Env: append(os.Environ(), roleVariable+"="+role), Stdout: w, Stderr: os.Stderr})
	check(t, err)
	said := make(chan []string, 100)
	go func() {
		for in := bufio.NewScanner(r); in.Scan(); {
			select {
			case said <- strings.Fields(in.Text()):
			default: // a machine so busy that it is all pauses
			}
		}
	}()
	t.Cleanup(func() { p.Signal(syscall.SIGKILL); <-p.Done(); w.Close() })
	return p, said
}

// await returns the next line that begins so.
func await(t *testing.T, said <-chan []string, word string) []string {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line := <-said:
			if line[0] == word {
				return line
			}
		case <-timeout:
			t.Fatalf("no %q within 20 s", word)
		}
	}
}

func TestAThawedProcessSaysNothingBeforeItsLoopHasStamped(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 2)
	a, client := h[0], h[1]
	p, said := lines(t, a, "frozen")
	await(t, said, "claimed")
	for _, addr := range bothVIPs {
		viptest.Eventually(t, "the holder answers", func() bool { return viptest.PointsAt(t, client, addr, a) })
	}
	e := listenFor(t, client, a)
	asker, err := client.OpenWire()
	check(t, err)
	defer asker.Close()
	ask := func() {
		for _, addr := range bothVIPs {
			check(t, asker.Ask(t.Context(), addr))
		}
	}

	check(t, p.Signal(syscall.SIGSTOP))
	time.Sleep(2 * stampLimit) // the freeze itself; what was under way before it is out
	frozen := time.Now()
	for range 50 {
		ask()
	}
	time.Sleep(stampLimit)
	check(t, p.Signal(syscall.SIGCONT))
	line := await(t, said, "stamping")
	nanos, err := strconv.ParseInt(line[1], 10, 64)
	check(t, err)
	stamped := time.Unix(0, nanos)
	if line[2] == "0" {
		t.Error("the gate has refused nothing: this test proves nothing")
	}
	about := func(from, to time.Time) []vip.Frame {
		return e.heard(func(f vip.Frame) bool {
			return (f.Owner == bothVIPs[0] || f.Owner == bothVIPs[1]) && f.At.After(from) && f.At.Before(to)
		})
	}
	viptest.Eventually(t, "it answers again", func() bool {
		ask()
		return len(about(stamped, time.Now())) > 0
	})
	if early := about(frozen, stamped); len(early) > 0 {
		t.Errorf("%d frames while frozen or before the first stamp, e.g. %+v", len(early), early[0])
	}
}

func TestAKilledProcessIsNeverSeenAgain(t *testing.T) {
	t.Parallel()
	h := kernelHosts(t, 3)
	a, b, client := h[0], h[1], h[2]
	p, said := lines(t, a, "table")
	await(t, said, "claimed")
	heir := viptest.Start(t, b, viptest.Muted(t, b, bothVIPs...))
	for _, addr := range bothVIPs {
		viptest.Eventually(t, "the holder answers", func() bool { return viptest.PointsAt(t, client, addr, a) })
	}
	check(t, p.Signal(syscall.SIGKILL))
	<-p.Done()
	kernelSilent(t, client)
	check(t, heir.Claim(t.Context()))
	for _, addr := range bothVIPs {
		viptest.Eventually(t, "the client sends to the heir", func() bool { return viptest.PointsAt(t, client, addr, b) })
		for range 20 {
			check(t, client.Forget(addr))
			if !viptest.PointsAt(t, client, addr, b) {
				t.Fatal("the dead owner was found")
			}
		}
		if !viptest.Has(t, a, addr) {
			t.Error("the address has gone from the dead owner: this test proves nothing")
		}
	}
	next := viptest.Muted(t, a, bothVIPs...) // and the table is free for the next run
	viptest.Start(t, a, next)
	viptest.Eventually(t, "the stale addresses are gone", func() bool {
		return !viptest.Has(t, a, bothVIPs[0]) && !viptest.Has(t, a, bothVIPs[1])
	})
	if st := next.Muter.State(); !st.IPv4.InForce || !st.IPv6.InForce {
		t.Errorf("the next run's mute: %+v", st)
	}
}
