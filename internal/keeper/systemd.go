package keeper

import (
	"fmt"
	"strings"
	"time"
)

// What systemd is told (sd_notify(3)), when it has started this balancer. It waits for
// READY=1 before it starts what is ordered after the unit: that comes when clients are served
// here if the VIP is, that is, when the proxy reads its listening sockets and the election has
// left its initial state. WATCHDOG=1 comes from the keeper's loop and from nowhere else: a loop
// that stands still, or whose hands do not answer on the wire, is not covered for by a timer.

// statusInterval is how often STATUS may change.
const statusInterval = time.Second

// facts are what the notices are made of.
type facts struct {
	serving   bool // the proxy serves, and every group has a state
	alive     bool // what the loop looks after has given a sign of life of late
	reloading bool
	stopping  bool
	status    string
}

// notices decides what to say, and when. It is for one goroutine.
type notices struct {
	watchdog time.Duration // between two signs of life; 0: nobody waits for them

	ready, reloading, stopping bool
	status                     string
	statusAt, pingAt           time.Time
}

// next returns what to tell systemd now, as one message; none is usual. usec is the monotonic
// clock in microseconds, which a reload must carry.
func (n *notices) next(now time.Time, usec int64, f facts) (say []string) {
	switch {
	case f.stopping && !n.stopping:
		n.stopping = true
		say = append(say, "STOPPING=1")
	case f.stopping:
	case f.serving && !n.ready:
		n.ready = true
		say = append(say, "READY=1")
	case n.ready && f.reloading && !n.reloading:
		n.reloading = true
		say = append(say, "RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", usec))
	case n.reloading && !f.reloading:
		n.reloading = false
		say = append(say, "READY=1")
	}
	if f.status != n.status && now.Sub(n.statusAt) >= statusInterval {
		n.status, n.statusAt = f.status, now
		say = append(say, "STATUS="+strings.ReplaceAll(f.status, "\n", " "))
	}
	if n.watchdog > 0 && f.alive && now.Sub(n.pingAt) >= n.watchdog/4 {
		n.pingAt = now
		say = append(say, "WATCHDOG=1")
	}
	return say
}
