package keeper

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestTheWatchdogOfAnotherProcessIsNotOurs(t *testing.T) {
	for pid, want := range map[string]time.Duration{"": 2 * time.Second, fmt.Sprint(os.Getpid()): 2 * time.Second, "1": 0} {
		t.Setenv("WATCHDOG_USEC", "2000000")
		t.Setenv("WATCHDOG_PID", pid)
		if got := watchdogTime(); got != want {
			t.Errorf("WATCHDOG_PID=%q: %v, want %v", pid, got, want)
		}
	}
	for _, usec := range []string{"", "0", "-1", "soon"} {
		t.Setenv("WATCHDOG_USEC", usec)
		t.Setenv("WATCHDOG_PID", "")
		if got := watchdogTime(); got != 0 {
			t.Errorf("WATCHDOG_USEC=%q: %v", usec, got)
		}
	}
}
