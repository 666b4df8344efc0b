package keeper

import (
	"strings"
	"testing"
	"time"
)

func TestSystemdHearsEachThingOnceAndInOrder(t *testing.T) {
	n := notices{watchdog: 4 * time.Second}
	at := time.Unix(1000, 0)
	for i, step := range []struct {
		after time.Duration
		f     facts
		want  string
	}{
		{0, facts{status: "init"}, "STATUS=init"},
		{time.Second, facts{status: "init", alive: true}, "WATCHDOG=1"},
		{500 * time.Millisecond, facts{status: "backup", alive: true, serving: true}, "READY=1 STATUS=backup"},
		{100 * time.Millisecond, facts{status: "active", alive: true, serving: true}, ""},
		{900 * time.Millisecond, facts{status: "active\nREADY=1", alive: true, serving: true}, "STATUS=active READY=1 WATCHDOG=1"},
		{0, facts{status: "active\nREADY=1", alive: true, serving: true, reloading: true}, "RELOADING=1 MONOTONIC_USEC=7"},
		{0, facts{status: "active\nREADY=1", serving: true, reloading: true}, ""},
		{0, facts{status: "active\nREADY=1", serving: true}, "READY=1"},
		{time.Hour, facts{status: "active\nREADY=1", serving: true}, ""}, // not alive: no sign of life
		{0, facts{status: "active\nREADY=1", alive: true, stopping: true, reloading: true}, "STOPPING=1 WATCHDOG=1"},
		{time.Second, facts{status: "draining", alive: true, stopping: true}, "STATUS=draining WATCHDOG=1"},
	} {
		at = at.Add(step.after)
		if got := strings.Join(n.next(at, 7, step.f), " "); got != step.want {
			t.Errorf("step %d: said %q, want %q", i, got, step.want)
		}
	}
}

func TestWithoutAWatchdogThereIsNoSignOfLife(t *testing.T) {
	var n notices
	for i := range 10 {
		if say := n.next(time.Unix(int64(i*60), 0), 7, facts{alive: true}); len(say) > 0 {
			t.Errorf("said %v", say)
		}
	}
}
