package keeper

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// attend answers one visitor of a new meeting socket with a message and descriptors, in the
// place of a proxy, and returns the visitor's side.
func attend(t *testing.T, m ipc.Message, files ...*os.File) (*ipc.Conn, ipc.Who) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "meeting")
	f, err := ipc.NewMeeting(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := ipc.Attend(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() {
		c, err := l.AcceptUnix()
		if err != nil {
			return
		}
		conn := ipc.FromUnix(c)
		if m != nil {
			conn.Send(m, files...)
		}
		conn.Run(ctx, func(ipc.Message, []*os.File) {})
	}()
	conn, who, err := ipc.Meet(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if who.PID != os.Getpid() {
		t.Fatalf("process %d attends the meeting socket, want this one, %d", who.PID, os.Getpid())
	}
	return conn, who
}

func socket(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func orphan(loops int, listen ...string) *ipc.Orphan {
	o := &ipc.Orphan{Build: ipc.Build(), Start: ipc.ProxyStart{Loops: loops, OrphanTime: time.Second}}
	for _, l := range listen {
		o.Start.Frontends = append(o.Start.Frontends, ipc.Frontend{Name: l, Listen: l})
	}
	return o
}

func TestAProxyIsAdoptedWithAllItHas(t *testing.T) {
	prog, err := newProgress(2)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.close()
	hello := orphan(2, ":80", ":81")
	files := []*os.File{prog.file, socket(t), socket(t), socket(t), socket(t), socket(t)}
	conn, who := attend(t, hello, files...)
	f, err := introduce(conn, who, identity{})
	if err != nil {
		t.Fatal(err)
	}
	if f.process.Pid != os.Getpid() || len(f.listeners) != 4 || f.meeting == nil {
		t.Errorf("process %d, %d listening sockets", f.process.Pid, len(f.listeners))
	}
	for _, tc := range []struct {
		change func(*ipc.ProxyStart)
		want   string
	}{
		{func(*ipc.ProxyStart) {}, ""},
		{func(s *ipc.ProxyStart) { s.LogLevel = 4 }, ""},
		{func(s *ipc.ProxyStart) { s.OrphanTime++ }, "its configuration is another"},
	} {
		start := orphan(2, ":80", ":81").Start
		tc.change(&start)
		if got := f.misfit(start); got != tc.want {
			t.Errorf("misfit: %q, want %q", got, tc.want)
		}
	}
	f.hello.Build = "another"
	if got := f.misfit(hello.Start); got != "it is of another build" {
		t.Errorf("misfit of another build: %q", got)
	}
	want := portOf(t, int(files[3].Fd()))
	if got := f.take(":81"); len(got) != 2 || portOf(t, int(got[0].Fd())) != want {
		t.Errorf("take gives %v, want the two sockets of the second frontend", got)
	}
	if got := f.take(":82"); got != nil {
		t.Errorf("take gives %v for an address that it does not have", got)
	}
	f.leave()
	f.close()
}

func TestAProxyThatDoesNotAddUpIsNotAdopted(t *testing.T) {
	prog, err := newProgress(1)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.close()
	for name, tc := range map[string]struct {
		m     ipc.Message
		files []*os.File
	}{
		"another message":     {&ipc.Ready{}, nil},
		"a socket is missing": {orphan(1, ":80"), []*os.File{prog.file, socket(t)}},
		"no loops":            {orphan(0), []*os.File{prog.file, socket(t)}},
		"too many loops":      {orphan(maxLoops+1, ":80"), []*os.File{prog.file}},
		"says nothing":        {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, who := attend(t, tc.m, tc.files...)
			if _, err := introduce(conn, who, identity{}); err == nil {
				t.Error("it was adopted")
			}
		})
	}
}

// Only what is a proxy of ours is killed: a pid alone proves nothing.
func TestOnlyAProxyIsKilled(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[[2]string]bool{
		{"tandem", "control"}: false,
		{"another", "proxy"}:  false,
		{"tandem", "proxy"}:   true,
	} {
		// A shell that waits, with the command line of another program.
		if err := os.WriteFile(filepath.Join(dir, args[1]), []byte("read x"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh")
		cmd.Args, cmd.Dir = args[:], dir
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for exec := []byte(nil); len(exec) == 0; { // Start returns a moment before the kernel has taken over the arguments
			if exec, err = os.ReadFile(filepath.Join("/proc", fmt.Sprint(cmd.Process.Pid), "cmdline")); err != nil {
				t.Fatal(err)
			}
		}
		if got := killProxy(cmd.Process.Pid); got != want {
			t.Errorf("killProxy of %q: %v, want %v", args, got, want)
		}
		in.Close() // ends the shell, if it is still there
		err = cmd.Wait()
		if killed := err != nil && cmd.ProcessState.ExitCode() == -1; killed != want {
			t.Errorf("%q ended by a signal: %v (%v), want %v", args, killed, err, want)
		}
	}
	if killProxy(1 << 30) {
		t.Error("a process that does not exist was killed")
	}
}
