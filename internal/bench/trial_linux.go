package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// A moment is a time on the site's clock; the wall clock's is for those who read logs.
type moment struct {
	what string
	at   time.Duration
	wall time.Time
}

// trial injects one fault into a fresh site of a stack, phase later than it could. An error is in the Trial as well,
// but for the end of ctx.
func trial(ctx context.Context, o options, st *stack, name string, phase time.Duration, logTo string) (Trial, error) {
	s, err := newSite(ctx, st)
	if err != nil {
		return Trial{Error: err.Error()}, ctx.Err()
	}
	t, moments, err := s.suffer(ctx, o, name, phase)
	if err != nil {
		t.Error = err.Error()
	}
	if logTo != "" {
		err = errors.Join(err, s.writeLogs(logTo, t, moments))
	}
	if err = errors.Join(err, s.close()); err != nil {
		t.Error = err.Error()
	}
	return t, ctx.Err()
}

// suffer is a repetition, on a site that has just been started; phase is how much longer it
// waits for the fault than it must.
func (s *site) suffer(ctx context.Context, o options, name string, phase time.Duration) (t Trial, moments []moment, err error) {
	f := faults[name]
	h, _ := harmOf(name)
	now := func(what string) time.Duration {
		m := moment{what, s.log.Now(), time.Now()}
		moments = append(moments, m)
		return m.at
	}
	warm := o.warm
	if !o.check { // promises hold from the start; figures are those of a steady state
		warm = max(warm, s.stack.known)
	}
	if h.late {
		warm = max(warm, s.stack.start)
	}
	if err := s.serve(ctx, warm+phase, s.lbs...); err != nil {
		return t, moments, err
	}
	v := victim{site: s, active: s.active(), held: new(held)}
	if v.active == nil {
		return t, moments, errors.New("nobody is active any more")
	}
	v.backup = s.lbs[1-slices.Index(s.lbs, v.active)]
	t.Before = v.active.name
	if h.lone {
		if err := v.backup.powerOff(); err != nil {
			return t, moments, err
		}
		if err := s.serve(ctx, warm, v.active); err != nil {
			return t, moments, err
		}
	}

	from := now("fault")
	if err := f.inject(v); err != nil {
		return t, moments, err
	}
	now("injected")
	least, most := h.lasts(s.stack)
	if _, err := s.wait(ctx, least, most, s.calm); err != nil {
		return t, moments, err
	}
	t.Held = s.activeName()
	undo := now("undo")
	if f.undo != nil {
		if err := f.undo(v); err != nil {
			return t, moments, err
		}
		now("undone")
	}
	if t.Calm, err = s.settle(ctx, o.watch); err != nil {
		return t, moments, err
	}
	end := now("end")
	t.After = s.activeName()
	if _, err := s.wait(ctx, 0, settleMax, func() bool { return s.log.Settled() >= end }); err != nil {
		return t, moments, err
	}
	s.measure(&t, from, undo, end)
	if o.check && !s.stack.peer {
		lbs := s.lbs
		if h.lone {
			lbs = []*node{v.active}
		}
		err = s.explain(ctx, &t, name, lbs, moments[0].wall)
	}
	return t, moments, err
}

// lasts is how long a fault is kept up on a stack, at least and at most.
func (h harm) lasts(st *stack) (least, most time.Duration) {
	least = h.hold
	if least == 0 {
		least = st.notice
	}
	if h.calm {
		return least, max(least, holdMax)
	}
	return least, least
}

// settle waits until the site has been calm for the time of watching, without a break, and
// what the return from a fault costs this stack has begun if ever it does: its time for that
// has passed, or it is back where it always ends. false: not within settleMax.
func (s *site) settle(ctx context.Context, watch time.Duration) (bool, error) {
	begun := s.log.Now()
	since := begun
	return s.wait(ctx, watch, settleMax, func() bool {
		now := s.log.Now()
		if !s.calm() {
			since = now
		}
		over := now-begun >= s.stack.after || s.stack.home != "" && s.activeName() == s.stack.home
		return over && now-since >= watch
	})
}

// measure reads off what happened from the fault over its undoing to the end.
func (s *site) measure(t *Trial, from, undo, end time.Duration) {
	reqs := s.log.Requests()
	gap := client.Outage(reqs, client.Window{From: from, To: undo}, end)
	own := s.owners.Report(owners.Window{From: from, To: end})
	t.OutageMS, t.ReturnMS = millis(gap.Length()), millis(returnGap(reqs, undo, end))
	t.TwoMS, t.NoneMS, t.WrongMS = millis(own.Two), millis(own.None), millis(s.cache.wrong(from, end, s.owners.Owned))
	t.MaxOwners = own.Max
	count := client.Count(reqs, client.Window{From: from, To: end})
	t.Requests, t.Failed, t.Late, t.Skipped = count.Requests, count.Failed, count.Late, count.Skipped
	t.Kinds = map[string]int{}
	for kind, n := range count.Kinds {
		t.Kinds[string(kind)] = n
	}
	t.HeldMS = millis(undo - from)
}

// returnGap is the longest gap that begins after the undoing. A gap that was there already
// belongs to the fault; it ends with the first good answer.
func returnGap(reqs []client.Request, undo, end time.Duration) time.Duration {
	first := end
	for _, r := range reqs {
		if r.Good() && r.End >= undo {
			first = min(first, r.End)
		}
	}
	if first >= end {
		return 0
	}
	return client.Outage(reqs, client.Window{From: first, To: end}, end).Length()
}

// writeLogs writes what the daemons said, and when what was done to them.
func (s *site) writeLogs(file string, t Trial, moments []moment) error {
	var b strings.Builder
	fmt.Fprintln(&b, t.line())
	for _, m := range moments {
		fmt.Fprintf(&b, "%s %v %s\n", m.wall.Format("15:04:05.000000"), m.at, m.what)
	}
	fmt.Fprintf(&b, "changes:\n%s\nunexplained: %q\n%s\n", strings.Join(t.Changes, "\n"), t.Unexplained, t.Story)
	for _, l := range s.cache.turns() {
		fmt.Fprintf(&b, "%v the client's cache: %s\n", l.at, l.host)
	}
	for _, n := range slices.Concat(s.lbs, s.apps) {
		fmt.Fprintf(&b, "--- %s wrote:\n%s\n", n.name, &n.log)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
