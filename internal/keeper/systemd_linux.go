package keeper

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/sdnotify"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/election"
)

// openSystemd finds out whether systemd, or something like it, waits for notices. The
// children must not find it: they have nothing to say there.
func (k *Keeper) openSystemd() {
	n, err := sdnotify.New()
	switch {
	case errors.Is(err, os.ErrNotExist): // nobody waits
	case err != nil:
		k.log.Warn("whoever started this balancer is not told how it fares", "err", err)
	default:
		k.closers = append(k.closers, n.Close)
		k.loop.systemd, k.loop.notices.watchdog = n, watchdogTime()
	}
	for _, name := range []string{sdnotify.Socket, "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name)
	}
}

// watchdogTime is within which systemd wants a sign of life from this process; 0: it does not.
func watchdogTime() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// tellSystemd says what is due, at the end of a round of the loop. The socket never blocks
// for long: a datagram that finds no room is lost, and the next ones say what matters.
func (l *loop) tellSystemd(now time.Time) {
	if l.systemd == nil {
		return
	}
	say := l.notices.next(now, monotonic(), facts{
		serving: l.proxy.now.ready && !l.anyInit(), alive: l.serving.answering(now) == "",
		reloading: l.reloads.now != nil && !l.reloads.now.dry, stopping: l.stopping, status: l.summary(),
	})
	if len(say) == 0 {
		return
	}
	if err := l.systemd.Notify(say...); err != nil {
		l.log.Debug("systemd was not told", "what", say, "err", err)
	}
}

// monotonic is CLOCK_MONOTONIC in microseconds.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano() / 1000
}

func (l *loop) anyInit() bool {
	for _, g := range l.groups {
		if g.machine.State() == election.Init {
			return true
		}
	}
	return false
}

// summary is this balancer's state in one line.
func (l *loop) summary() string {
	var words []string
	for _, g := range l.groups {
		st := g.machine.Status()
		word := st.State.String()
		if len(l.groups) > 1 {
			word = g.name + " " + word
		}
		if st.State != election.Active && st.Active != "" {
			word += " (active is " + st.Active + ")"
		}
		words = append(words, word)
	}
	words = append(words, fmt.Sprintf("%d of %d backends up", l.proxy.now.up, l.proxy.now.total))
	if l.notServing != "" {
		words = append(words, l.notServing)
	}
	return strings.Join(words, ", ")
}
