package ipc_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// watched counts the epolls of this process that watch fd.
func watched(t *testing.T, fd uintptr) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		if err != nil {
			continue // it was closed meanwhile
		}
		for line := range strings.Lines(string(info)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" && f[1] == fmt.Sprint(fd) {
				n++
			}
		}
	}
	return n
}

func TestTheRuntimeWatchesNoSocketThatIsOnlyHeld(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := theirs.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		if watched(t, fd) != 1 {
			t.Error("the runtime does not watch a common file: the test proves nothing")
		}
	}); err != nil {
		t.Fatal(err)
	}
	fd, err := ipc.Copy(theirs)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ipc.Hold(fd, "listener")
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if watched(t, ours.Fd()) != 0 {
		t.Error("the runtime watches a held socket")
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := net.FileListener(ours)
	if err != nil || again.Addr().String() != l.Addr().String() {
		t.Fatalf("%v, %v", again, err)
	}
	defer again.Close()
	flags, err := unix.FcntlInt(ours.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v: others would hang in accept", flags, err)
	}
}
