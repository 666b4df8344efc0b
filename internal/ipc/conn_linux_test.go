package ipc

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (*Conn, *Conn) {
	t.Helper()
	fa, fb, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(fa)
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(fb)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

type received struct {
	m     Message
	files []*os.File
}

func run(t *testing.T, c *Conn) (<-chan received, <-chan error) {
	t.Helper()
	got, done := make(chan received, queueLen), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		done <- c.Run(ctx, func(m Message, files []*os.File) { got <- received{m, files} })
	}()
	return got, done
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10 s")
		panic("unreachable")
	}
}

func TestMessagesArriveWholeAndInOrder(t *testing.T) {
	a, b := pair(t)
	run(t, a)
	got, _ := run(t, b)

	big := &Pools{Pools: []PoolBackends{{Name: "web"}}}
	for i := range 5000 {
		ip := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		big.Pools[0].Backends = append(big.Pools[0].Backends, Backend{ID: ip.String(), Addr: netip.AddrPortFrom(ip, 3000), Weight: 100})
	}
	want := []Message{&Ready{}, big, &Stop{Grace: time.Second}}
	for _, m := range want {
		if err := a.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range want {
		if diff := cmp.Diff(w, next(t, got).m, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatalf("message changed on its way (-sent +received):\n%s", diff)
		}
	}
}

func TestDescriptorsArriveWithTheirMessage(t *testing.T) {
	a, b := pair(t)
	run(t, a)
	got, _ := run(t, b)

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := a.Send(&Ready{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(&Link{}, w, w); err != nil {
		t.Fatal(err)
	}
	w.Close() // Send has taken its copies

	if m := next(t, got); len(m.files) != 0 {
		t.Fatalf("Ready brought %d descriptors, want none", len(m.files))
	}
	m := next(t, got)
	if len(m.files) != 2 {
		t.Fatalf("Link brought %d descriptors, want 2", len(m.files))
	}
	for _, f := range m.files {
		if _, err := f.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if all, err := io.ReadAll(r); err != nil || string(all) != "xx" {
		t.Fatalf("read %q, %v from the pipe, want xx: a descriptor is wrong or leaked", all, err)
	}
}

// The flag is the socket's, not the descriptor's: if sending it made it block, the event
// loop of the process that serves would hang in accept.
func TestADescriptorStaysNonBlockingOnItsWay(t *testing.T) {
	a, b := pair(t)
	run(t, a)
	got, _ := run(t, b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	serving, err := Copy(f)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(serving)
	blocks := func() bool {
		flags, err := unix.FcntlInt(uintptr(serving), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		return flags&unix.O_NONBLOCK == 0
	}
	if blocks() {
		t.Fatal("it blocks before it is sent")
	}
	if err := a.Send(&Link{}, f); err != nil {
		t.Fatal(err)
	}
	m := next(t, got)
	if len(m.files) != 1 {
		t.Fatalf("%d descriptors arrived, want 1", len(m.files))
	}
	if _, err := Copy(m.files[0]); err != nil {
		t.Fatal(err)
	}
	if blocks() {
		t.Error("it blocks after it was sent")
	}
	m.files[0].Close()
}

func TestADeadProcessIsEOF(t *testing.T) {
	a, b := pair(t)
	_, done := run(t, b)
	a.Close()
	if err := next(t, done); !errors.Is(err, io.EOF) {
		t.Fatalf("Run returned %v, want io.EOF", err)
	}
}

func TestSendNeverBlocks(t *testing.T) {
	a, _ := pair(t) // nobody runs a: its queue fills up
	for range queueLen {
		if err := a.Send(&Ready{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Send(&Ready{}); !errors.Is(err, ErrBacklog) {
		t.Fatalf("Send into a full queue returned %v, want ErrBacklog", err)
	}
}

func TestBadFramesAreRefusedByName(t *testing.T) {
	header := func(kind Kind, files int, size uint32) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(kind))
		b = binary.BigEndian.AppendUint16(b, uint16(files))
		return binary.BigEndian.AppendUint32(b, size)
	}
	for _, tc := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"unknown kind", header(999, 0, 0), ErrKind},
		{"zero kind", header(0, 0, 0), ErrKind},
		{"body over the bound", header(kindReady, 0, MaxBody+1), ErrTooLarge},
		{"descriptor missing", header(kindLink, 1, 2), ErrFiles},
		{"cut in the header", header(kindReady, 0, 2)[:5], io.ErrUnexpectedEOF},
		{"cut in the body", append(header(kindReady, 0, 9), '{'), io.ErrUnexpectedEOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fa, fb, err := Pair()
			if err != nil {
				t.Fatal(err)
			}
			b, err := New(fb)
			if err != nil {
				t.Fatal(err)
			}
			_, done := run(t, b)
			raw, err := net.FileConn(fa)
			fa.Close()
			if err != nil {
				t.Fatal(err)
			}
			raw.Write(tc.frame)
			raw.Close()
			if err := next(t, done); !errors.Is(err, tc.want) {
				t.Fatalf("Run returned %v, want %v", err, tc.want)
			}
		})
	}
}
