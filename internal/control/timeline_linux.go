package control

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// syncInterval is how much of the timeline a power cut may cost.
const syncInterval = time.Second

// openTimeline goes on with the timeline of earlier processes; a file that cannot be read is
// no reason to be without an API, so then it begins anew, in memory.
func (p *Process) openTimeline(files []*os.File) {
	var in []timeline.File
	for _, f := range files {
		in = append(in, f)
	}
	log, err := timeline.Open(in...)
	if err != nil {
		p.log.Error("the timeline is kept in memory alone", "err", err)
		log, _ = timeline.Open()
	}
	if n := log.Damaged(); n > 0 {
		p.log.Warn("lines of the timeline were torn or damaged; they are left out", "lines", n)
	}
	p.timeline = log
}

// note adds an entry of this node.
func (p *Process) note(e timeline.Entry) {
	e.Node = p.start.Node
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if err := p.timeline.Append(e); err != nil {
		p.lost.Add(1)
		p.log.Error("the timeline was not written", "kind", e.Kind, "err", err)
	}
}

// happens has the timeline take something in, in order and beside whoever says it: the disk
// may hang, and who reads what the keeper says must not.
func (p *Process) happens(take func()) {
	select {
	case p.happened <- take:
	default:
		p.lost.Add(1)
		p.log.Error("something that happened is not in the timeline: too much waits to be written")
	}
}

// keepTimeline takes in what happens, and has the disk keep what was written, until
// ctx ends.
func (p *Process) keepTimeline(ctx context.Context) error {
	tick := time.NewTicker(syncInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for len(p.happened) > 0 {
				(<-p.happened)()
			}
			return p.timeline.Sync()
		case take := <-p.happened:
			take()
		case <-tick.C:
			if err := p.timeline.Sync(); err != nil {
				p.log.Error("the timeline is not on the disk", "err", err)
			}
		}
	}
}

// transition writes what the keeper reports. A new control process is told the latest again.
func (p *Process) transition(t *ipc.Transition) {
	if t.ID > p.timeline.Newest(t.Boot) {
		p.note(transition(t))
		p.raiseState(t)
	}
}

// noteBackends notes what has changed from one report of the serving proxy to the next. A
// proxy that has just begun finds all of them out anew, which is no news.
func (p *Process) noteBackends(was, is *ipc.ProxyState) {
	type key struct{ pool, id string }
	before := make(map[key]ipc.BackendState)
	for _, pool := range was.Pools {
		for _, b := range pool.Backends {
			before[key{pool.Name, b.ID}] = b
		}
	}
	for _, pool := range is.Pools {
		for _, b := range pool.Backends {
			from, known := before[key{pool.Name, b.ID}]
			if from.State == b.State {
				continue
			}
			e := timeline.Entry{Kind: timeline.KindBackend, Group: pool.Name, Name: b.ID, From: from.State, To: b.State, Detail: b.Reason}
			if !known || b.Since.After(from.Since) { // else it was up all along, and drains just now
				e.Time = b.Since
			}
			p.note(e)
		}
	}
}

// noteProcesses notes what became of the processes from one report of the keeper to the next.
func (p *Process) noteProcesses(is *ipc.KeeperState) {
	before, now := make(map[int]ipc.Process), make(map[int]ipc.Process)
	if p.seen != nil {
		for _, pr := range p.seen.Processes {
			before[pr.PID] = pr
		}
	}
	p.seen = is
	for _, pr := range is.Processes {
		now[pr.PID] = pr
	}
	for _, pid := range slices.Sorted(maps.Keys(now)) {
		pr, known := now[pid], before[pid]
		if pid == 0 || doing(pr) == doing(known) || doing(pr) == "" {
			continue
		}
		p.note(timeline.Entry{Kind: timeline.KindProcess, Name: pr.Name, From: doing(known), To: doing(pr), Detail: fmt.Sprintf("process %d, restarts so far %d", pid, pr.Restarts)})
	}
	for _, pid := range slices.Sorted(maps.Keys(before)) {
		if _, there := now[pid]; !there && pid != 0 {
			p.note(timeline.Entry{Kind: timeline.KindProcess, Name: before[pid].Name, From: doing(before[pid]), To: "ended", Detail: fmt.Sprintf("process %d, %d connections as last counted", pid, before[pid].Clients)})
		}
	}
}

// doing is what a process does, "" for nothing yet.
func doing(p ipc.Process) string {
	switch {
	case p.Doing != "" && p.Doing != "serving":
		return p.Doing
	case p.Ready:
		return "serving"
	}
	return ""
}

func (p *Process) noteMember(ev membership.Event) {
	if ev.Kind == membership.EventUpdate {
		return // weights and checks; the backend's own entries tell what came of it
	}
	detail := ev.Member.Meta.Role.String() + " at " + ev.Member.Addr.String()
	if ev.Other.IsValid() {
		detail += ", and one of the same name at " + ev.Other.String()
	}
	words := map[membership.EventKind]string{membership.EventJoin: "alive", membership.EventLeave: "left", membership.EventFail: "failed", membership.EventConflict: "conflict"}
	p.note(timeline.Entry{Time: ev.At, Kind: timeline.KindMember, Name: ev.Member.Name, To: words[ev.Kind], Group: poolsOf(ev.Member), Detail: detail})
}

// poolsOf names the pools that a member's apps serve.
func poolsOf(m membership.Member) string {
	var pools []string
	for _, a := range m.Meta.Apps {
		if !slices.Contains(pools, a.Pool) {
			pools = append(pools, a.Pool)
		}
	}
	return strings.Join(pools, ",")
}

// noted carries an order out and notes who gave it and what came of it: the order itself
// BEFORE what it leads to.
func (p *Process) noted(ctx context.Context, what, group string, order func() (api.Done, error)) (api.Done, error) {
	p.note(timeline.Entry{Kind: timeline.KindOrder, Name: what, Group: group, To: "asked", Who: api.Caller(ctx)})
	done, err := order()
	e := timeline.Entry{Kind: timeline.KindOrder, Name: what, Group: group, To: "done", Who: api.Caller(ctx), Detail: done.Message}
	if err != nil {
		e.To, e.Detail = "refused", err.Error()
	}
	p.note(e)
	return done, err
}

// caller asks the kernel who connected.
func caller(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ""
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }) != nil || err != nil {
		return ""
	}
	return fmt.Sprintf("uid %d (process %d)", cred.Uid, cred.Pid)
}
