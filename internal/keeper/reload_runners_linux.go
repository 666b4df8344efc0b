package keeper

import (
	"slices"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// What a reload has to do with runners: those there are get to know what they may run then, and
// a user that had none gets one. One of a user that has nothing to run any more ends by itself,
// when all that it runs has ended.

// newUsers are what the runners are told that have to be started for it.
func (l *loop) newUsers(r *reload) map[string]ipc.RunnerStart {
	starts := runnerStarts(r.cfg, r.id)
	for _, d := range l.control.runners {
		delete(starts, d.user)
	}
	return starts
}

// prepareRunners has all runners get ready; control is next.
func (l *loop) prepareRunners(r *reload) {
	r.awaited = make(map[*child]bool)
	starts := runnerStarts(r.cfg, r.id)
	for _, d := range l.control.runners {
		d.next = starts[d.user]
		d.next.Programs, d.next.LogLevel = r.id, int(r.cfg.Log.Level) // it may have nothing to run
		d.prepare(r)
		if d.conn != nil { // else one is told as soon as it is there
			r.awaited[d.child] = true
		}
	}
	for _, d := range r.runners {
		r.awaited[d.child] = true
		l.control.run(d.child)
	}
	l.prepareControl(r)
}

func (d *runnerDesk) prepare(r *reload) {
	next := d.next // a copy, since what is sent is read later
	d.send(&ipc.Prepare{ID: r.id, Runner: &next})
}

// runnerStarted tells one what it may run, and what it may after a reload under way.
func (l *loop) runnerStarted(ev childStarted) {
	d := l.runnerOf(ev.child)
	if d == nil { // it was for a reload that has ended meanwhile
		ev.conn.Close()
		return
	}
	d.started(ev.conn)
	if r := l.reloads.now; r != nil && r.awaited != nil && r.waits == nil && slices.Contains(l.control.runners, d) {
		d.prepare(r)
	}
	l.join(&d.desk, d.user)
}

// prepareControl is the last to be asked, since it has the runners try templates.
func (l *loop) prepareControl(r *reload) {
	if len(r.awaited) == 0 {
		l.control.send(&ipc.Prepare{ID: r.id, Control: &r.control})
	}
}

// runnerMessage takes in that a runner is ready, for a reload or at all.
func (l *loop) runnerMessage(ev childMessage) {
	r := l.reloads.now
	if r == nil || !r.awaited[ev.child] {
		return
	}
	if m, ok := ev.m.(*ipc.Prepared); ok && m.ID != r.id {
		return
	}
	delete(r.awaited, ev.child)
	l.prepareControl(r)
}

// runnerEnded has one started again that is still wanted.
func (l *loop) runnerEnded(ev childEnded) {
	d := l.runnerOf(ev.child)
	if d == nil { // it was let go
		(&desk{child: ev.child}).decide(false)
		return
	}
	took := d.conn != nil || !slices.Contains(l.control.runners, d) // part in it
	d.ended()
	if r := l.reloads.now; r != nil && r.waits == nil && r.awaited != nil && took {
		l.endReload("the runner of "+d.user+" ended meanwhile", "nothing has changed; look at the balancer's log, and try again")
	}
	d.decide(l.runnerOf(ev.child) != nil)
}

// commitRunners has them run what the reload says from now on.
func (l *loop) commitRunners(r *reload) {
	for _, d := range l.control.runners {
		d.start = d.next
		d.send(&ipc.Commit{ID: r.id})
	}
	gone := func(d *runnerDesk) bool { return len(d.start.Hooks)+len(d.start.Templates) == 0 }
	l.control.runners = append(slices.DeleteFunc(l.control.runners, gone), r.runners...)
	r.runners = nil
}

// abortRunners lets those go that were started for it.
func (l *loop) abortRunners(r *reload) {
	for _, d := range l.control.runners {
		d.send(&ipc.Abort{ID: r.id})
	}
	for _, d := range r.runners {
		if d.conn != nil {
			d.conn.Close()
		}
	}
}
