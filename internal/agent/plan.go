package agent

import (
	"slices"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
)

// phase is where a process is in its life.
//
//	waiting ──► running ──► over
//	              ▲  │
//	              │  ▼
//	             pausing ──► over (only by stop)
type phase int

const (
	waiting phase = iota // for those that it comes after
	running
	pausing // before it is started again
	over    // for good
)

// planned is one process in the plan.
type planned struct {
	config.Process
	main    bool // an app is this process
	phase   phase
	ready   bool // has been, in some run: those that come after it may start
	started time.Time
	due     time.Time // pausing: when it is started again
	backoff backoff
	streak  int  // restarts in a row
	code    int  // of its last run
	told    bool // it was asked to end
	stopBy  time.Time
	killed  bool
}

// plan decides which process is started and stopped when. It is pure: it is told what happens, and the time.
type plan struct {
	procs    []*planned // in the order of the file
	draining bool       // no app is started any more
	stopping bool       // nothing is
}

func newPlan(processes []config.Process, apps []config.App) *plan {
	p := &plan{}
	for _, cfg := range processes {
		p.procs = append(p.procs, &planned{
			Process: cfg, backoff: backoff{least: cfg.MinBackoff, most: cfg.MaxBackoff},
			main: slices.ContainsFunc(apps, func(a config.App) bool { return a.Process == cfg.Name }),
		})
	}
	return p
}

// index returns the place of the process called name, or -1.
func (p *plan) index(name string) int {
	return slices.IndexFunc(p.procs, func(o *planned) bool { return o.Name == name })
}

// toStart returns the processes to be started at now, in order.
func (p *plan) toStart(now time.Time) []int {
	var all []int
	for i, o := range p.procs {
		switch {
		case p.stopping, p.draining && (o.main || o.phase == waiting):
		case o.phase == waiting && !slices.ContainsFunc(o.After, func(name string) bool { return !p.procs[p.index(name)].ready }):
			all = append(all, i)
		case o.phase == pausing && !now.Before(o.due):
			all = append(all, i)
		}
	}
	return all
}

// deadline returns when toStart or toKill may have something new, or the zero Time.
func (p *plan) deadline() time.Time {
	var next time.Time
	for _, o := range p.procs {
		at := o.due
		switch {
		case p.stopping && o.phase == running && o.told && !o.killed:
			at = o.stopBy
		case p.stopping || o.phase != pausing:
			continue
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (p *plan) started(i int, now time.Time) { p.procs[i].phase, p.procs[i].started = running, now }

// isReady notes that those that come after the process may be started.
func (p *plan) isReady(i int) { p.procs[i].ready = true }

// ended notes that a run of the process has ended, or could not begin, and returns whether and after which pause there
// is to be another one.
func (p *plan) ended(i, code int, now time.Time) (again bool, pause time.Duration) {
	o := p.procs[i]
	ran := now.Sub(o.started)
	if o.phase != running {
		ran = 0
	}
	o.code = code
	if ran >= o.MaxBackoff {
		o.streak = 0
	}
	o.streak++
	switch {
	case p.stopping, p.draining && o.main, o.Restart == config.RestartNever, o.Restart == config.RestartOnFailure && code == 0, o.Limit > 0 && o.streak > o.Limit:
		o.phase, o.ready = over, true
		return false, 0
	}
	pause = o.backoff.after(ran)
	o.phase, o.due = pausing, now.Add(pause)
	return true, pause
}

// finished returns the exit code of a process that is an app and is over for good, and whether there is one: without
// it the agent has no reason to go on.
func (p *plan) finished() (code int, ok bool) {
	for _, o := range p.procs {
		if o.main && o.phase == over {
			return o.code, true
		}
	}
	return 0, false
}

// drain says that the apps are not wanted any more: one that ends now has ended for good.
func (p *plan) drain() { p.draining = true }

// stop begins to stop all processes: none is started any more.
func (p *plan) stop() {
	p.stopping = true
	for _, o := range p.procs {
		if o.phase == waiting || o.phase == pausing {
			o.phase, o.code = over, 0 // nothing of it runs, as is wanted
		}
	}
}

// toStop returns the running processes to be asked to end at now: those that no running one comes after.
func (p *plan) toStop(now time.Time) []int {
	var all []int
	for i, o := range p.procs {
		needed := slices.ContainsFunc(p.procs, func(other *planned) bool {
			return other.phase == running && slices.Contains(other.After, o.Name)
		})
		if o.phase == running && !o.told && !needed {
			o.told, o.stopBy = true, now.Add(o.StopTimeout)
			all = append(all, i)
		}
	}
	return all
}

// toKill returns those that were asked to end and have not in time.
func (p *plan) toKill(now time.Time) []int {
	var all []int
	for i, o := range p.procs {
		if o.phase == running && o.told && !o.killed && !now.Before(o.stopBy) {
			o.killed = true
			all = append(all, i)
		}
	}
	return all
}

// stopped reports whether nothing runs any more.
func (p *plan) stopped() bool {
	return !slices.ContainsFunc(p.procs, func(o *planned) bool { return o.phase == running })
}

// exitCode is the agent's own after stop: that of the first process that is an app, or 0 if that ended as it was
// asked to, by the signal or by being killed.
func (p *plan) exitCode() int {
	for _, o := range p.procs {
		switch {
		case !o.main:
		case o.told && (o.killed || o.code == 128+int(syscall.SIGTERM)):
			return 0
		default:
			return o.code
		}
	}
	return 0
}

// backoff is the pause before a restart. It doubles while the command keeps ending soon.
type backoff struct {
	least, most time.Duration
	next        time.Duration
}

// after returns how long to wait after a run that lasted ran.
func (b *backoff) after(ran time.Duration) time.Duration {
	if b.next == 0 || ran >= b.most {
		b.next = b.least
	}
	wait := b.next
	b.next = min(2*b.next, b.most)
	return wait
}
