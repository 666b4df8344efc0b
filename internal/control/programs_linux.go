package control

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
	"github.com/tandem-lb/tandem/membership"
)

const (
	// maxRaised is how many events wait to be taken in; whoever raises more waits.
	maxRaised = 1024
	// lookInterval is how often the pools' minimums are looked at without news.
	lookInterval = time.Second
)

// programs has hooks run. Its goroutine owns everything but the queue and the counts.
type programs struct {
	log    *slog.Logger
	start  *ipc.ControlStart                              // in effect
	upNow  func() (up map[string]int, active, known bool) // what the pools' minimums are held against
	in     chan any                                       // hook.Event, *trial, trialOver, *ipc.ControlStart (a reload's), runnerLink, runnerGone or runnerSaid
	done   chan struct{}                                  // closed when run has returned
	counts atomic.Pointer[[]hook.Stats]
	feed   *feed // for whoever watches

	sched    *hook.Scheduler
	minimums []*hook.Minimum

	templates []*template
	dataNow   func() (render.Data, bool)
	data      []byte // that the templates were last told of
	files     atomic.Pointer[[]api.Template]

	trial   *trial               // of the reload under way; nil: none is
	runners map[string]*ipc.Conn // by user
	ran     map[uint64]*ipc.Conn // who runs a program, by its ID
	parting []*ipc.Conn          // runners of users that have nothing to run any more
	seq     uint64               // of the newest event
}

// What a runner's link leads to.
type (
	runnerLink struct {
		user string
		conn *ipc.Conn
	}
	runnerGone runnerLink
	runnerSaid struct{ m ipc.Message }
)

func newPrograms(
	start *ipc.ControlStart, log *slog.Logger, upNow func() (map[string]int, bool, bool), dataNow func() (render.Data, bool),
) *programs {
	p := &programs{
		log: log, start: start, upNow: upNow, in: make(chan any, maxRaised), done: make(chan struct{}),
		feed: newFeed(), sched: hook.NewScheduler(hookRules(start.Hooks)), minimums: minimums(start.Pools, nil), runners: make(map[string]*ipc.Conn), ran: make(map[uint64]*ipc.Conn), templates: templates(start.Templates, nil), dataNow: dataNow,
	}
	p.publish()
	return p
}

// run starts programs as events come in, until ctx ends. The programs are the runners'.
func (p *programs) run(ctx context.Context) error {
	defer close(p.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case in := <-p.in:
			p.take(in)
		case <-timer.C:
		}
		now := time.Now()
		p.lookAtTrial()
		p.part()
		p.lookAtMinimums(now)
		p.begin()
		timer.Reset(p.lookAtTemplates(now))
		p.publish()
	}
}

// tell has something taken in, in the order of the calls of one goroutine.
func (p *programs) tell(in any) {
	select {
	case p.in <- in:
	case <-p.done:
	}
}

func (p *programs) take(in any) {
	switch in := in.(type) {
	case hook.Event:
		p.happened(in)
	case *trial:
		in.begin(p.start)
		p.trial = in
	case trialOver:
		p.trial = nil
	case *ipc.ControlStart:
		p.set(in)
	case runnerLink:
		p.runners[in.user] = in.conn // the word that the one before is gone may come later
	case runnerGone:
		if p.runners[in.user] == in.conn {
			delete(p.runners, in.user)
		}
		p.lost(in.conn)
	case runnerSaid:
		p.said(in.m)
	}
}

// happened has an event wait for the hooks that want it.
func (p *programs) happened(e hook.Event) {
	p.seq++
	e.Seq, e.Node = p.seq, p.start.Node
	p.feed.add(e)
	for _, name := range p.sched.Add(e) {
		p.log.Warn("a hook's queue is full: its oldest event is dropped", "hook", name)
	}
}

// lookAtMinimums raises what is due of the pools' minimums.
func (p *programs) lookAtMinimums(now time.Time) {
	if len(p.minimums) == 0 {
		return
	}
	up, active, known := p.upNow()
	if !known {
		return
	}
	for _, m := range p.minimums {
		if e := m.Look(now, up[m.Pool], active); e != nil {
			p.log.Warn(e.Name, "pool", e.Pool, "wanted", e.Wanted, "up", e.Up, "missing", e.Missing)
			p.happened(*e)
		}
	}
}

// begin has the runners run what may run now.
func (p *programs) begin() {
	ready := func(rule int) bool { return p.runners[p.start.Hooks[rule].User] != nil }
	for _, run := range p.sched.Start(ready) {
		h := p.start.Hooks[run.Rule]
		p.ran[run.ID] = p.runners[h.User]
		in, err := run.Event.Input(hook.Format(h.Format), hook.Self{Name: p.start.Node, Tags: h.SerfTags})
		if err == nil {
			err = p.runners[h.User].Send(&ipc.RunHook{ID: run.ID, Programs: p.start.Programs, Hook: h.Name, Env: in.Env, Stdin: in.Stdin})
		}
		if err != nil {
			p.ended(run.ID, hook.Result{Err: err.Error(), At: time.Now()})
		}
	}
}

// said takes in what a runner says.
func (p *programs) said(m ipc.Message) {
	switch m := m.(type) {
	case *ipc.HookEnded:
		p.ended(m.ID, hookResult(m))
	case *ipc.Rendered:
		if m.Trial {
			p.tried(m)
		} else if t := p.template(m.Target); t != nil {
			p.rendered(time.Now(), t, m.Changed, m.Error)
		}
	}
}

// lost ends what a runner ran that is gone.
func (p *programs) lost(runner *ipc.Conn) {
	p.lostTemplates(runner)
	for id, at := range p.ran {
		if at == runner {
			p.ended(id, hook.Result{Err: "the process that ran it has ended", At: time.Now()})
		}
	}
}

func (p *programs) ended(id uint64, r hook.Result) {
	delete(p.ran, id)
	name := p.sched.Ended(id, r)
	switch {
	case name == "": // of an earlier control process
	case r.Err != "":
		p.log.Warn("hook failed", "hook", name, "err", r.Err, "took", r.Took, "output", r.Output)
	default:
		p.log.Info("hook ended", "hook", name, "took", r.Took, "output", r.Output)
	}
}

func (p *programs) publish() {
	counts := p.sched.Stats()
	p.counts.Store(&counts)
	var files []api.Template
	for _, t := range p.templates {
		files = append(files, t.state)
	}
	p.files.Store(&files)
}

// hooks is what became of each hook's programs, for status.
func (p *programs) hooks() []api.Hook {
	var out []api.Hook
	for _, s := range *p.counts.Load() {
		out = append(out, api.Hook(s))
	}
	return out
}

// link speaks with one runner until either ends.
func (p *programs) link(ctx context.Context, user string, conn *ipc.Conn) {
	p.tell(runnerLink{user, conn})
	conn.Run(ctx, func(m ipc.Message, files []*os.File) {
		for _, f := range files {
			f.Close()
		}
		p.tell(runnerSaid{m})
	})
	p.tell(runnerGone{user, conn})
}

// The events of each source.

func (p *Process) raise(e hook.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if _, active, _ := p.upNow(); active {
		e.Active = true
	}
	p.programs.tell(e)
}

func (p *Process) raiseMember(ev membership.Event) {
	e := hook.Event{Name: memberEvents[ev.Kind], Time: ev.At, Members: []hook.Member{hookMember(ev.Member)}}
	if ev.Other.IsValid() {
		e.Detail = "one of the same name is at " + ev.Other.String()
	}
	p.raise(e)
}

// raiseState tells what a group of this node has become, and of two who claimed its VIPs.
func (p *Process) raiseState(t *ipc.Transition) {
	p.mu.Lock()
	vips := vipsOf(p.pic.keeper, t.Group)
	p.mu.Unlock()
	e := hook.Event{
		Name: t.To, Time: t.At, Group: t.Group, VIPs: vips, From: t.From, Reason: t.Reason, Peer: t.Peer, Epoch: t.Epoch, Detail: t.Detail,
		Active: t.To == hook.Active, // the keeper's state comes after its transitions
	}
	if slices.Contains(stateEvents, t.To) {
		p.raise(e)
	}
	if slices.Contains(conflictReasons, t.Reason) {
		e.Name = hook.Conflict
		p.raise(e)
	}
}

// raiseBackends tells what has become of backends from one report of the serving proxy to
// the next. One that has left its pool while it was up is down, too.
func (p *Process) raiseBackends(was, is *ipc.ProxyState) {
	for _, e := range backendEvents(was, is, time.Now()) {
		p.raise(e)
	}
}

// upNow counts the backends that are up in each pool, and says whether this node is the one
// that raises: the active one of the first group, or the only one there is. It is not known
// before the seeds have been tried and the proxy has its lists.
func (p *Process) upNow() (up map[string]int, active, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, proxy := p.pic.keeper, p.pic.proxy
	if k != nil {
		active = len(k.Groups) == 0 || k.Groups[0].State == hook.Active
	}
	if proxy == nil || !p.settled || !proxy.Listed {
		return nil, active, false
	}
	up = make(map[string]int)
	for _, pool := range proxy.Pools {
		for _, b := range pool.Backends {
			if b.State == "up" {
				up[pool.Name]++
			}
		}
	}
	return up, active, true
}
