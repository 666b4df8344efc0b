package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/doctor"
	"github.com/tandem-lb/tandem/internal/paint"
)

// all is everything that was written until the program ended, with the line ends that were written and not the
// terminal's. That it ended with code is checked.
func (e *terminal) all(code int) string {
	e.t.Helper()
	select {
	case <-e.ended:
	case <-time.After(20 * time.Second):
		e.cmd.Process.Kill()
		e.t.Fatal("it has not ended after 20 s")
	}
	if got := e.cmd.ProcessState.ExitCode(); got != code {
		e.t.Errorf("exit code %d, want %d", got, code)
	}
	const end = "(the end)" // what is in the terminal is read in order
	e.slave.WriteString(end)
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		e.mu.Lock()
		text, ended := strings.CutSuffix(e.text.String(), end)
		e.mu.Unlock()
		if ended {
			return strings.ReplaceAll(text, "\r\n", "\n")
		}
	}
	e.t.Fatal("the terminal does not give what was written")
	return ""
}

// piped is the same of a program that writes to a pipe.
func piped(t *testing.T, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "tandem"
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=")
	out, _ := cmd.CombinedOutput() // the exit code is looked at in the terminal
	return string(out)
}

func TestColoursAreForATerminalThatShowsThem(t *testing.T) {
	socket := serving(t, &api.Server{
		Status: example, Cluster: func(context.Context) api.Cluster { return busy() }, MembersOf: exampleMembers,
		Timeline: exampleTimeline, Why: exampleWhy, Routes: exampleRoutes,
	})
	bad := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(bad, []byte("[cluster]\nnmae = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
		want []string // parts, painted
	}{
		{"status", 0, []string{"\x1b[32mactive\x1b[0m", "\x1b[33munknown (was active)\x1b[0m", "\x1b[31mdown\x1b[0m", "\x1b[1mBALANCER\x1b[0m  ", "\x1b[33mafter a handover\x1b[0m", "\x1b[33mrefused:\x1b[0m", "  backup  "}},
		{"status --cluster", 0, []string{"\x1b[32myes\x1b[0m"}},
		{"backends", 0, []string{"\x1b[31mup on lb1, down on lb2\x1b[0m"}},
		{"members --node lb2", 0, []string{"\x1b[33msuspect\x1b[0m"}},
		{"timeline", 0, []string{"backup → \x1b[32mactive\x1b[0m", "\x1b[32mup\x1b[0m → \x1b[31mdown\x1b[0m", "\x1b[31mrefused\x1b[0m"}},
		{"why", 0, []string{"\x1b[1mWhat happened:\x1b[0m", "\x1b[32mactive\x1b[0m"}},
		{"route http://x/old/a", 0, []string{"\x1b[32mfits\x1b[0m"}},
		{"route http://x/a", 0, []string{"\x1b[1mweb\x1b[0m"}},
		{"check " + bad, 1, []string{"\x1b[31mtandem:\x1b[0m"}},
	} {
		args := strings.Fields(tc.args)
		if args[0] != "check" {
			args = append(args, "--socket", socket)
		}
		t.Run(args[0], func(t *testing.T) {
			plain := piped(t, args...)
			if colour.MatchString(plain) {
				t.Errorf("colours in a pipe: %q", plain)
			}
			got := inTerminal(t, []string{"TERM=xterm", "NO_COLOR="}, args...).all(tc.code)
			for _, part := range tc.want {
				if !strings.Contains(got, part) {
					t.Errorf("%q is missing in %q", part, got)
				}
			}
			if without := colour.ReplaceAllString(got, ""); without != plain && !strings.HasPrefix(tc.args, "members") { // ages of members are by this clock
				t.Errorf("the words or their columns differ:\n%s\nand in a pipe:\n%s", without, plain)
			}
			for _, env := range [][]string{{"TERM=xterm", "NO_COLOR=1"}, {"TERM=dumb", "NO_COLOR="}} {
				if got := inTerminal(t, env, args...).all(tc.code); colour.MatchString(got) {
					t.Errorf("%v: colours in %q", env, got)
				}
			}
			if args[0] != "check" {
				if got := inTerminal(t, []string{"TERM=xterm", "NO_COLOR="}, append(args, "--json")...).all(tc.code); colour.MatchString(got) {
					t.Errorf("colours in JSON: %q", got)
				}
			}
		})
	}
}

func TestDoctorsFindingsArePainted(t *testing.T) {
	var b bytes.Buffer
	found := []doctor.Finding{{ID: "a", Level: doctor.Error, What: "x"}, {ID: "b", Level: doctor.Warning, What: "y"}, {ID: "c", Level: doctor.Good, What: "z"}}
	if err := printFindings(paint.With(&b, true), found, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[31merror  \x1b[0m  x", "\x1b[33mwarning\x1b[0m  y", "\x1b[32mgood   \x1b[0m  z"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in %q", want, b.String())
		}
	}
}

func TestScreensArePaintedToo(t *testing.T) {
	socket := serving(t, &api.Server{Status: example, Cluster: func(context.Context) api.Cluster { return busy() }})
	for _, tc := range []struct {
		args, env string
		painted   bool
	}{
		{"status --watch", "NO_COLOR=", true},
		{"status --watch", "NO_COLOR=1", false},
		{"top", "NO_COLOR=1", false},
	} {
		t.Run(tc.args+" "+tc.env, func(t *testing.T) {
			e := inTerminal(t, []string{"TERM=xterm", tc.env}, append(strings.Fields(tc.args), "--socket", socket)...)
			text := func() string {
				e.mu.Lock()
				defer e.mu.Unlock()
				return e.text.String()
			}
			for end := time.Now().Add(20 * time.Second); !strings.Contains(colour.ReplaceAllString(text(), ""), "web2"); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("after 20 s there is %q", text())
				}
			}
			if got := colour.MatchString(text()); got != tc.painted {
				t.Errorf("colours: %v, in %q", got, text())
			}
			if err := e.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			e.all(exitDone)
		})
	}
}
