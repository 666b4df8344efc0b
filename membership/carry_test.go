package membership

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"
)

// udp listens on loopback.
func udp(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// answerWith answers one datagram on from with what, sent from by.
func answerWith(t *testing.T, from, by *net.UDPConn, what ...[]byte) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 2048)
		_, asker, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		for _, b := range what {
			by.WriteToUDPAddrPort(b, asker)
		}
	}()
	t.Cleanup(func() { from.Close(); <-ended })
}

func TestOnASocketTheAnswerOfTheTargetAloneCounts(t *testing.T) {
	target, to := udp(t)
	answerWith(t, target, target, []byte("yes"), []byte("again"))
	got, err := exchange(t.Context(), to, []byte("question"))
	if err != nil || string(got) != "yes" {
		t.Errorf("got %q, %v", got, err)
	}

	target, to = udp(t)
	other, _ := udp(t)
	answerWith(t, target, other, []byte("forged"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := exchange(ctx, to, []byte("question")); err == nil {
		t.Errorf("an answer from another port counted: %q", got)
	}
}

func TestOnASocketAnAnswerThatIsTooLargeIsNone(t *testing.T) {
	for size, good := range map[int]bool{MaxRelay: true, MaxRelay + 1: false, MaxRelay + 500: false} {
		target, to := udp(t)
		answerWith(t, target, target, make([]byte, size))
		got, err := exchange(t.Context(), to, []byte("question"))
		if (err == nil) != good || good && len(got) != size {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
}

func TestOnASocketTheWaitEndsWithItsContext(t *testing.T) {
	_, to := udp(t) // silent
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := exchange(ctx, to, []byte("question"))
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("still waiting")
	}
}

func TestWhatIsCarriedIsBoundedInAllAndForEach(t *testing.T) {
	r := newCarrier()
	if r.carry("early", func(context.Context) {}) {
		t.Error("carried before Run")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.serve(ctx) }()
	waiting := func(ctx context.Context) { <-ctx.Done() }
	for !r.carry("a", waiting) { // until serve has begun
		time.Sleep(time.Millisecond)
	}
	count := func(wire string) (n int) {
		for range 2 * maxCarrying {
			if r.carry(wire, waiting) {
				n++
			}
		}
		return n
	}
	a, b, c := count("a")+1, count("b"), count("c")
	if a != maxCarryingOne || b != maxCarryingOne || c != maxCarrying-2*maxCarryingOne {
		t.Errorf("carried %d, %d and %d at once", a, b, c)
	}
	cancel()
	<-ended
	if r.carry("a", waiting) || r.total != 0 || len(r.carrying) != 0 {
		t.Errorf("after the end %d are under way: %v", r.total, r.carrying)
	}
}

func TestRequestsAreBoundedInRateInAllAndForEach(t *testing.T) {
	r := newCarrier()
	now := time.Unix(1000, 0)
	for range 3 { // windows
		admitted := map[string]int{}
		all := 0
		for i := range 10 * maxAsked {
			for _, wire := range []string{"loud", "quiet" + strconv.Itoa(i)} {
				if r.admit(wire, now) {
					admitted[wire]++
					all++
				}
			}
		}
		if admitted["loud"] != maxAskedOne || admitted["quiet0"] != 1 || all != maxAsked {
			t.Errorf("admitted %d in all, %d of the loud one, %d of a quiet one", all, admitted["loud"], admitted["quiet0"])
		}
		if len(r.asked) > maxAsked {
			t.Errorf("%d names are kept", len(r.asked))
		}
		now = now.Add(carryWindow)
	}
}
