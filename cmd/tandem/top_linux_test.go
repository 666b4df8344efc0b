package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

// topIn runs 'tandem top' with a balancer that answers, until it hangs if that is not nil.
func topIn(t *testing.T, interval string, hangs *atomic.Bool) *terminal {
	t.Helper()
	var asked atomic.Int64
	socket := serving(t, &api.Server{Status: example, Cluster: func(ctx context.Context) api.Cluster {
		if hangs != nil && hangs.Load() {
			<-ctx.Done()
		}
		c := busy()
		c.Node = fmt.Sprintf("answer%d", asked.Add(1))
		return c
	}})
	return inTerminal(t, []string{"TERM=xterm", "NO_COLOR="}, "top", "--socket", socket, "--interval", interval)
}

func (e *terminal) press(keys string) {
	e.t.Helper()
	if _, err := e.master.WriteString(keys); err != nil {
		e.t.Fatal(err)
	}
}

// screen is all that was written since the last time that something was drawn from the top.
func (e *terminal) screen() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.text.String()
	return all[strings.LastIndex(all, home)+1:]
}

// until waits until a whole screen is as wanted.
func (e *terminal) until(what string, is func(screen string) bool) {
	e.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s := e.screen()
		if strings.HasSuffix(s, clearBelow) && is(s) {
			return
		}
		if time.Now().After(end) {
			e.t.Fatalf("%s: not so after 20 s; on the screen is %q", what, s)
		}
	}
}

func shows(word string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, word) }
}

// endsWell waits for the end, and looks at what is left of the terminal.
func (e *terminal) endsWell() {
	e.t.Helper()
	select {
	case err := <-e.ended:
		if err != nil {
			e.t.Errorf("tandem top ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		e.cmd.Process.Kill()
		e.t.Fatal("tandem top has not ended after 20 s")
	}
	if now := e.modes(); now != e.before {
		e.t.Errorf("the terminal is left with the modes %+v, and had %+v", now, e.before)
	}
	for end := time.Now().Add(20 * time.Second); !strings.HasSuffix(e.screen(), leaveScreen); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			e.t.Fatalf("the screen is not given back: %q", e.screen())
		}
	}
}

func TestTopInATerminal(t *testing.T) {
	t.Run("it draws, and again with what is new", func(t *testing.T) {
		e := topIn(t, "100ms", nil)
		e.until("the first answer", shows("answers for"))
		e.until("another answer", shows("answer3 answers for"))
		e.mu.Lock()
		all := e.text.String()
		e.mu.Unlock()
		if !strings.HasPrefix(all, enterScreen) || !colour.MatchString(all) {
			t.Errorf("it begins without a screen of its own, or has no colours: %q", all[:min(len(all), 100)])
		}
		e.press("q")
		e.endsWell()
	})
	t.Run("it obeys keys and a new size at once", func(t *testing.T) {
		e := topIn(t, "1h", nil)
		e.until("all of it", shows("POOL, BACKEND"))
		e.press("s")
		e.until("sorted", shows("s sorts by errors"))
		e.resize(40, 8)
		e.until("eight lines of forty", func(s string) bool {
			return strings.Count(s, "\r\n") == 7 && strings.Contains(s, "…") && !strings.Contains(s, "POOL, BACKEND")
		})
		e.press("\x1b[6~\x1b[6~\x1b[B")
		e.until("further down", shows("POOL, BACKEND"))
		e.press("\x03")
		e.endsWell()
	})
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			e := topIn(t, "1h", nil)
			e.until("all of it", shows("POOL, BACKEND"))
			if err := e.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			e.endsWell()
		})
	}
	t.Run("a balancer that does not answer any more keeps no key waiting", func(t *testing.T) {
		var hangs atomic.Bool
		e := topIn(t, "100ms", &hangs)
		e.until("the first answer", shows("answers for"))
		hangs.Store(true)
		e.press("s")
		e.until("sorted", shows("s sorts by errors"))
		e.press("q")
		e.endsWell()
	})
}
