package keeper

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime reads CLOCK_BOOTTIME, which runs on while the process is stopped and while the
// machine sleeps: what tells a pause from a wait (E14).
func bootTime() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // cannot fail for a clock that exists
	return time.Duration(ts.Nano())
}

// pauses notices that the loop came round much later than it meant to.
type pauses struct {
	limit time.Duration // election.PauseAfter
	meant time.Duration // bootTime at which it meant to be back
}

// waiting notes until when the loop waits at most.
func (p *pauses) waiting(d time.Duration) { p.meant = bootTime() + d }

// overslept returns by how much that was exceeded; 0 when it is nothing to speak of.
func (p *pauses) overslept() time.Duration {
	if late := bootTime() - p.meant; late > p.limit {
		return late
	}
	return 0
}
