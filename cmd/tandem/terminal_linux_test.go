package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/api"
)

// serving has s answer for the length of a test.
func serving(t *testing.T, s *api.Server) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tandem") // t.TempDir is named after the test: too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "control.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go s.Serve(ctx, l)
	return socket
}

// terminal is a pseudo-terminal with tandem in it.
type terminal struct {
	t             *testing.T
	master, slave *os.File
	before        unix.Termios
	cmd           *exec.Cmd
	ended         chan error

	mu   sync.Mutex // protects text
	text bytes.Buffer
}

// inTerminal runs tandem there.
func inTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	var err error
	e := &terminal{t: t, ended: make(chan error, 1)}
	if e.master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.master.Close() })
	n, err := unix.IoctlGetInt(int(e.master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(e.master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		e.slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.slave.Close() })
	e.resize(100, 30)
	e.before = e.modes()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e.cmd = exec.Command(self, args...)
	e.cmd.Args[0] = "tandem"
	e.cmd.Env = append(os.Environ(), env...)
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = e.slave, e.slave, e.slave
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { e.ended <- e.cmd.Wait() }()
	go e.read()
	return e
}

func (e *terminal) read() {
	b := make([]byte, 4096)
	for {
		n, err := e.master.Read(b)
		e.mu.Lock()
		e.text.Write(b[:n])
		e.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (e *terminal) modes() unix.Termios {
	e.t.Helper()
	m, err := unix.IoctlGetTermios(int(e.slave.Fd()), unix.TCGETS)
	if err != nil {
		e.t.Fatal(err)
	}
	return *m
}

func (e *terminal) resize(columns, lines uint16) {
	e.t.Helper()
	if err := unix.IoctlSetWinsize(int(e.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: lines}); err != nil {
		e.t.Fatal(err)
	}
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")
