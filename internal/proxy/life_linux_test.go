package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// kept is a client connection that is used more than once.
type kept struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func (b *bench) dial() *kept {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(b.url, "http://"), "/"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &kept{b.t, c, bufio.NewReader(c)}
}

// get asks once and returns whether the answer said that it was the last.
func (k *kept) get() (closes bool) {
	k.t.Helper()
	if _, err := fmt.Fprint(k.c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		k.t.Fatal(err)
	}
	resp, err := http.ReadResponse(k.r, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		k.t.Fatalf("answer %s, want 200", resp.Status)
	}
	if _, err := bufio.NewReader(resp.Body).Discard(len("hello")); err != nil {
		k.t.Fatal(err)
	}
	if resp.Close {
		k.c.Close()
	}
	return resp.Close
}

func (b *bench) tell(m ipc.Message, files ...*os.File) {
	b.t.Helper()
	if err := b.keeper.Send(m, files...); err != nil {
		b.t.Fatal(err)
	}
}

// clients waits until the keeper was told of so many connections.
func (b *bench) clients(total int64, draining bool) {
	b.t.Helper()
	b.until(fmt.Sprintf("it has %d clients, draining: %v", total, draining), func(m ipc.Message) bool {
		c, ok := m.(*ipc.Clients)
		return ok && c.Total == total && c.Draining == draining
	})
}

func TestAProxyServesOnlyWhenItIsTold(t *testing.T) {
	b := newHeldBench(t, time.Minute)
	b.control(app(t, "hello"))
	b.until("its backends are up", func(m ipc.Message) bool {
		s, ok := m.(*ipc.ProxyState)
		return ok && s.Up == 1 && s.Listed
	})
	k := b.dial() // the kernel takes it; it waits
	k.c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	fmt.Fprint(k.c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := k.r.Peek(1); err == nil {
		t.Fatal("a proxy that was not told to serve answers")
	}
	b.serve()
	k.c.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(k.r, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("what waited is answered %v, %v; want 200", resp, err)
	}
}

func TestAProxyThatNeverServedEndsWithItsKeeper(t *testing.T) {
	b := newHeldBench(t, time.Minute)
	b.control(app(t, "hello"))
	b.until("its backends are up", isUp)
	b.dropped()
	if err := b.end(); err == nil {
		t.Error("it ended without a word")
	}
}

func TestADrainEndsConnectionsAndAResumeKeepsThem(t *testing.T) {
	b := newBench(t, time.Minute)
	b.control(app(t, "hello"))
	b.until("its backend is up", isUp)
	one, two := b.dial(), b.dial()
	one.get()
	two.get()
	b.clients(2, false)

	b.tell(&ipc.Drain{After: 10 * time.Millisecond})
	b.clients(2, true)
	if !one.get() {
		t.Error("an answer during a drain does not say Connection: close")
	}
	b.clients(1, true)
	b.tell(&ipc.Resume{})
	b.clients(1, false)
	if two.get() {
		t.Error("an answer after the resume says Connection: close")
	}
	three := b.dial()
	if three.get() {
		t.Error("a new connection after the resume is closed")
	}
}

func TestARetiredProxyEndsWithItsLastConnection(t *testing.T) {
	b := newBench(t, time.Minute)
	b.control(app(t, "hello"))
	b.until("its backend is up", isUp)
	k := b.dial()
	k.get()
	b.clients(1, false)
	b.tell(&ipc.Retire{Grace: time.Minute})
	b.clients(1, true)
	late := b.dial() // for its successor
	fmt.Fprint(late.c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if !k.get() {
		t.Error("the last answer does not say Connection: close")
	}
	if err := b.end(); err != nil {
		t.Errorf("without connections it ended with %v", err)
	}
	late.c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := late.r.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection for its successor: %v, want that it still waits", err)
	}
}

func TestARetiredProxyCutsWhatIsLeftAtTheDeadline(t *testing.T) {
	b := newBench(t, time.Minute)
	b.control(app(t, "hello"))
	b.until("its backend is up", isUp)
	k := b.dial()
	k.get()
	b.clients(1, false)
	b.tell(&ipc.Retire{Grace: 50 * time.Millisecond})
	if err := b.end(); err != nil {
		t.Errorf("at its deadline it ended with %v", err)
	}
}

// The whole of E11 from the proxy's side: its keeper goes, another comes, gets everything
// and is obeyed; the connections go on.
func TestAnOrphanIsAdoptedWithItsConnections(t *testing.T) {
	b := newBench(t, time.Minute)
	b.control(app(t, "hello"))
	b.until("its backend is up", isUp)
	k := b.dial()
	k.get()
	b.clients(1, false)
	b.dropped()

	conn, who, err := ipc.Meet(b.meeting)
	if err != nil {
		t.Fatal(err)
	}
	if who.PID != os.Getpid() {
		t.Errorf("the meeting socket is attended by process %d, want %d", who.PID, os.Getpid())
	}
	m, files, err := conn.First(patience)
	if err != nil {
		t.Fatal(err)
	}
	hello, ok := m.(*ipc.Orphan)
	if !ok {
		t.Fatalf("it introduces itself with %T", m)
	}
	if len(files) != 3 { // memory, one listening socket, the meeting socket
		t.Errorf("it gave %d descriptors, want 3", len(files))
	}
	for _, f := range files {
		f.Close()
	}
	if hello.Clients.Total != 1 || hello.State.Up != 1 || !hello.State.Listed || hello.Start.OrphanTime != time.Minute || hello.Build == "" {
		t.Errorf("it says %+v", hello)
	}
	b.keeper = conn
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go conn.Run(ctx, func(m ipc.Message, _ []*os.File) { b.heard <- m })
	if k.get() {
		t.Error("a connection from before is closed")
	}
	b.tell(&ipc.Drain{})
	b.clients(1, true)
	b.tell(&ipc.Stop{})
	if err := b.end(); err != nil {
		t.Errorf("told to stop by its new keeper it ended with %v", err)
	}
}

func TestAnOrphanWhoseNewKeeperDiesIsAdoptedAgain(t *testing.T) {
	b := newBench(t, time.Minute)
	b.dropped()
	for range 3 {
		conn, _, err := ipc.Meet(b.meeting)
		if err != nil {
			t.Fatal(err)
		}
		m, files, err := conn.First(patience)
		if _, ok := m.(*ipc.Orphan); err != nil || !ok {
			t.Fatalf("%T, %v", m, err)
		}
		for _, f := range files {
			f.Close()
		}
		conn.Close()
	}
	conn, _, err := ipc.Meet(b.meeting)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.First(patience); err != nil {
		t.Fatal(err)
	}
	b.keeper = conn
	go conn.Run(context.Background(), func(m ipc.Message, _ []*os.File) { b.heard <- m })
	b.tell(&ipc.Stop{})
	if err := b.end(); err != nil {
		t.Error(err)
	}
}
