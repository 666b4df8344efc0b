package control

import (
	"fmt"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// What a reload changes of hooks and templates: their goroutine takes it in, as all else.

// trial are the templates that a reload brings, which must be accepted before it is.
type trial struct {
	next   *ipc.ControlStart
	data   []byte              // that templates will see; nil: it is not known yet
	answer func(failed string) // called once, from programs' goroutine; empty: they are accepted
	left   []ipc.Template      // that runners have not answered for
	asked  map[string]bool     // by target
}

// trialOver says that the reload does not come.
type trialOver struct{}

// begin finds out which templates are different: those that were accepted before need no trial,
// as long as the pools are the same.
func (t *trial) begin(now *ipc.ControlStart) {
	t.asked = make(map[string]bool)
	samePools := slices.EqualFunc(now.Pools, t.next.Pools, func(a, b ipc.StaticPool) bool { return a.Name == b.Name })
	for _, n := range t.next.Templates {
		if !samePools || !slices.ContainsFunc(now.Templates, func(o ipc.Template) bool { return o.Target == n.Target && o.Version == n.Version }) {
			t.left = append(t.left, n)
		}
	}
}

// lookAtTrial has those tried whose runner is there. One that is started for the reload links
// itself in a moment; if it does not, the keeper ends the reload.
func (p *programs) lookAtTrial() {
	t := p.trial
	if t == nil {
		return
	}
	if len(t.left) == 0 {
		p.endTrial("")
		return
	}
	for _, n := range t.left {
		runner := p.runners[n.User]
		if runner == nil || t.asked[n.Target] {
			continue
		}
		t.asked[n.Target] = true
		if err := runner.Send(&ipc.Render{Programs: t.next.Programs, Target: n.Target, Data: t.data, Trial: true}); err != nil {
			p.endTrial(err.Error())
			return
		}
	}
}

// tried takes in what a runner says of one.
func (p *programs) tried(m *ipc.Rendered) {
	t := p.trial
	switch {
	case t == nil || m.Programs != t.next.Programs: // of a reload that was given up
	case m.Error != "":
		p.endTrial(fmt.Sprintf("template for %s: %s", m.Target, m.Error))
	default:
		t.left = slices.DeleteFunc(t.left, func(n ipc.Template) bool { return n.Target == m.Target })
	}
}

func (p *programs) endTrial(failed string) {
	p.trial.answer(failed)
	p.trial = nil
}

// set brings another configuration into effect.
func (p *programs) set(next *ipc.ControlStart) {
	p.start = next
	p.minimums = minimums(next.Pools, p.minimums)
	for name, n := range p.sched.Set(hookRules(next.Hooks)) {
		p.log.Warn("events that waited for a hook have no more room after the reload: the oldest are dropped", "hook", name, "events", n)
	}
	p.templates = templates(next.Templates, p.templates)
	for _, t := range p.templates {
		if t.fresh && p.data != nil { // else all are due as soon as there are data
			t.when.Changed(time.Now())
		}
	}
	for user, conn := range p.runners {
		if !runs(next, user) {
			delete(p.runners, user)
			p.parting = append(p.parting, conn)
		}
	}
}

// runs says whether a user has anything to run.
func runs(start *ipc.ControlStart, user string) bool {
	return slices.ContainsFunc(start.Hooks, func(h ipc.Hook) bool { return h.User == user }) ||
		slices.ContainsFunc(start.Templates, func(t ipc.Template) bool { return t.User == user })
}

// part hangs up on runners that have nothing to run any more, when they have told what came of
// all that they were ordered.
func (p *programs) part() {
	p.parting = slices.DeleteFunc(p.parting, func(conn *ipc.Conn) bool {
		for _, at := range p.ran {
			if at == conn {
				return false
			}
		}
		for _, t := range p.templates {
			if t.at == conn {
				return false
			}
		}
		conn.Close()
		return true
	})
}
