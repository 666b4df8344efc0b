//go:build unix

package hook_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
)

func shell(script string) hook.Program {
	return hook.Program{Argv: []string{"/bin/sh", "-c", script}, Env: []string{hook.Path, "SAID=yes"}, Stdin: []byte("in"), Timeout: 20 * time.Second}
}

func TestAProgramGetsItsInputAndNothingElse(t *testing.T) {
	t.Setenv("TANDEM_SECRET", "must not be seen")
	r := hook.Run(t.Context(), shell(`cat; echo; env; pwd`))
	if r.Error() != nil || !strings.HasPrefix(r.Output, "in\n") || !strings.Contains(r.Output, "SAID=yes\n") || !strings.HasSuffix(r.Output, "\n/") {
		t.Errorf("%+v", r)
	}
	if strings.Contains(r.Output, "SECRET") {
		t.Errorf("the environment is inherited: %s", r.Output)
	}
}

func TestAProgramThatFailsSaysHowAndWhy(t *testing.T) {
	r := hook.Run(t.Context(), shell(`echo no such zone >&2; exit 7`))
	if r.Err != "exit status 7" || r.Output != "no such zone" || r.TimedOut || !strings.Contains(r.Error().Error(), "no such zone") {
		t.Errorf("%+v", r)
	}
	missing := hook.Run(t.Context(), hook.Program{Argv: []string{"/no/such/program"}})
	if missing.Err == "" || missing.At.IsZero() {
		t.Errorf("%+v", missing)
	}
}

func TestAProgramWhoseTimeIsOverIsKilledWithItsChildren(t *testing.T) {
	file := filepath.Join(t.TempDir(), "child")
	p := shell(`sleep 1000 & echo $! > ` + file + `; wait`)
	p.Timeout = 300 * time.Millisecond
	r := hook.Run(t.Context(), p)
	if !r.TimedOut || !errors.Is(r.Error(), context.DeadlineExceeded) {
		t.Errorf("%+v", r)
	}
	child, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(child)), "stat"))
		if err != nil || strings.Contains(string(b), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("its child %s lives on", child)
		}
	}
}

func TestAProgramThatLeavesSomethingRunningHasSucceeded(t *testing.T) {
	r := hook.Run(t.Context(), shell(`sleep 3 & echo done`))
	if r.Error() != nil || r.Took > 2*time.Second || r.Output != "done" {
		t.Errorf("%+v", r)
	}
}

func TestOutputIsBoundedOrPassedOn(t *testing.T) {
	p := shell(`head -c 1000000 /dev/zero | tr '\0' x`)
	if r := hook.Run(t.Context(), p); r.Error() != nil || len(r.Output) != 4<<10 {
		t.Errorf("kept %d bytes, %v", len(r.Output), r.Error())
	}
	var all bytes.Buffer
	p.Output = &all
	if r := hook.Run(t.Context(), p); r.Error() != nil || all.Len() != 1000000 || r.Output != "" {
		t.Errorf("passed on %d bytes, %v", all.Len(), r.Error())
	}
}

func TestAProgramEndsWithWhoeverRunsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if r := hook.Run(ctx, shell(`sleep 1000`)); r.Err == "" || r.TimedOut {
		t.Errorf("%+v", r)
	}
}
