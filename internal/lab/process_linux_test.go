package lab_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

func TestAllThatAProcessWroteIsThereWhenItHasEnded(t *testing.T) {
	h := newHost(t, newLab(t), "a", "10.0.0.1/24")
	for range 5 {
		var out, errs bytes.Buffer
		p, err := h.Start(lab.Command{Env: roleEnv("talk"), Stdout: slow{&out}, Stderr: &errs})
		if err != nil {
			t.Fatal(err)
		}
		var exit *lab.ExitError
		if err := p.Wait(); !errors.As(err, &exit) || exit.Code != 3 || exit.Signal != 0 {
			t.Errorf("Wait() = %v", err)
		}
		if got := strings.Count(out.String(), "out\n"); got != talkLines || out.Len() != talkLines*4 {
			t.Errorf("%d of %d lines on stdout", got, talkLines)
		}
		if got := strings.Count(errs.String(), "err\n"); got != talkLines || errs.Len() != talkLines*4 {
			t.Errorf("%d of %d lines on stderr", got, talkLines)
		}
	}
}

func TestOneWriterForBothOutputsIsNeverCalledTwiceAtOnce(t *testing.T) {
	h := newHost(t, newLab(t), "a")
	var both bytes.Buffer // the race detector watches
	p, err := h.Start(lab.Command{Env: roleEnv("talk"), Stdout: &both, Stderr: &both})
	if err != nil {
		t.Fatal(err)
	}
	p.Wait()
	if both.Len() != 2*4*talkLines {
		t.Errorf("%d bytes of %d", both.Len(), 2*4*talkLines)
	}
}

func TestWaitDoesNotWaitForADaemonThatWasLeftBehind(t *testing.T) {
	h := newHost(t, newLab(t), "a")
	var out lockedBuffer
	file := filepath.Join(t.TempDir(), "go")
	p, err := h.Start(lab.Command{Args: []string{file}, Env: roleEnv("leave"), Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if out.String() != "bye\n" {
		t.Errorf("said %q", out.String())
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the daemon's word arrives", func() bool { return out.String() == "bye\nlater\n" })
	await(t, "no zombie is left", func() bool { return strings.Contains(run(t, h, "describe"), "others=[1]") })
}

func TestWaitDoesNotWaitForADaemonThatNeverStopsTalking(t *testing.T) {
	l := newLab(t)
	h := newHost(t, l, "a")
	var out lockedBuffer
	p, err := h.Start(lab.Command{Env: roleEnv("leave a talker"), Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if said := out.String(); !strings.Contains(said, "bye\n") || out.String() != said {
		t.Errorf("%d bytes without a bye, or not the last ones", len(said))
	}
}

func TestSignalsReachTheProcessAndNoOther(t *testing.T) {
	h := newHost(t, newLab(t), "a")
	p := startRole(t, h, "sleep")
	if p.Pid() <= 0 || p.HostPid() <= 1 || p.Pid() == p.HostPid() {
		t.Errorf("pid %d, in the host %d", p.Pid(), p.HostPid())
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *lab.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Signal != int(syscall.SIGTERM) || exit.Code != -1 {
		t.Errorf("Wait() = %v", err)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a second signal: %v", err)
	}
}

func TestStartSaysWhyItCouldNot(t *testing.T) {
	h := newHost(t, newLab(t), "a")
	_, err := h.Start(lab.Command{Path: "/no/such/program"})
	if err == nil || !strings.Contains(err.Error(), "/no/such/program: no such file") {
		t.Errorf("Start = %v", err)
	}
	_, err = h.Start(lab.Command{Args: []string{strings.Repeat("x", 200<<10)}})
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("Start with 200 KiB of arguments = %v", err)
	}
	run(t, h, "describe") // and the host is none the worse
}

func TestManyProcessesStartAndEndAtOnce(t *testing.T) {
	h := newHost(t, newLab(t), "a")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			var out bytes.Buffer
			p, err := h.Start(lab.Command{Path: "/proc/self/exe", Args: []string{fmt.Sprint(i)}, Env: roleEnv("echo"), Stdout: &out})
			if err != nil {
				t.Error(err)
				return
			}
			if err := p.Wait(); err != nil || out.String() != fmt.Sprint(i) {
				t.Errorf("process %d: %v, %q", i, err, &out)
			}
		})
	}
	all.Wait()
}

func roleEnv(role string) []string { return append(os.Environ(), "LAB_TEST_ROLE="+role) }

func startRole(t *testing.T, h *lab.Host, role string, args ...string) *lab.Process {
	t.Helper()
	p, err := h.Start(lab.Command{Args: args, Env: roleEnv(role), Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type slow struct{ w *bytes.Buffer }

func (s slow) Write(b []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.w.Write(b)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
