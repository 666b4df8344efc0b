package proxy

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// lookInterval is how often an ending proxy looks whether it is done.
const lookInterval = 20 * time.Millisecond

// ending is how a proxy comes to its end.
type ending struct {
	left     func() int64 // of what it waits for
	deadline <-chan time.Time
	look     <-chan time.Time
}

// obey does what the keeper says until it says stop, or is gone for the orphan time.
func (p *Process) obey(ctx context.Context, g *errgroup.Group) error {
	var (
		end      ending
		orphaned <-chan time.Time
		warming  <-chan time.Time
	)
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-p.orders:
			switch m := o.m.(type) {
			case *ipc.Link:
				p.link(ctx, g, o.files)
				continue
			case *ipc.AccessLog:
				p.logTo(o.files)
				continue
			case *ipc.Prepare:
				p.prepare(m, o.files)
				warming = time.Tick(lookInterval)
				continue
			case *ipc.Commit:
				if err := p.commit(m); err != nil {
					return err
				}
			case *ipc.Abort:
				p.abort()
			case *ipc.Serve:
				if err := p.serve(o.files); err != nil {
					return err
				}
			case *ipc.Recheck:
				p.core.Recheck()
			case *ipc.AwaitFirst:
				g.Go(func() error { return p.awaitFirst(ctx, *m) })
			case *ipc.Drain:
				p.drainAfter(m.After)
			case *ipc.Resume:
				p.resume()
			case *ipc.Retire:
				end = p.retire(m.Grace, true)
			case *ipc.Stop:
				p.leaveSockets(false)
				end = p.endAt(m.Grace, p.inFlight)
			}
			closeAll(o.files)
		case <-warming:
			if p.lookWhetherWarm(); p.reload == nil || p.reload.told {
				warming = nil
			}
		case err := <-p.gone:
			p.abort()
			if !p.serves && end.left == nil {
				return fmt.Errorf("the keeper went before this proxy served: %w", err)
			}
			p.log.Warn("the keeper is gone; serving on", "orphan_time", p.start.OrphanTime, "err", err)
			orphaned = time.After(p.start.OrphanTime)
			p.awaitKeeper(ctx)
		case c := <-p.visitors:
			if p.meet(ctx, c) {
				orphaned = nil
			} else {
				p.awaitKeeper(ctx)
			}
		case <-orphaned:
			orphaned = nil
			if end.left == nil {
				p.log.Warn("no keeper came back; ending")
				end = p.retire(p.start.OrphanTime, false)
			}
		case <-end.look:
			if end.left() == 0 {
				return nil
			}
		case <-end.deadline:
			p.log.Warn("connections cut off", "left", end.left())
			return nil
		}
	}
}

// logTo has the access log written to a file of the keeper's; without one there is none.
func (p *Process) logTo(files []*os.File) {
	if len(files) == 0 {
		p.core.SetAccessLog(nil)
		return
	}
	p.core.SetAccessLog(files[0])
	closeAll(files[1:])
}

// drainAfter makes connections end with their next answers from then on.
func (p *Process) drainAfter(after time.Duration) {
	if p.drain != nil {
		p.drain.Stop()
	}
	p.drain = time.AfterFunc(after, func() {
		p.core.Drain()
		p.draining.Store(true)
	})
}

// resume undoes drainAfter. A proxy that has left its sockets drains for good.
func (p *Process) resume() {
	if p.files == nil {
		return
	}
	if p.drain != nil {
		p.drain.Stop()
		p.drain = nil
	}
	p.core.Resume()
	p.draining.Store(false)
}

// retire drains for the last time, with a successor or without one.
func (p *Process) retire(grace time.Duration, succeeded bool) ending {
	p.leaveSockets(succeeded)
	p.drainAfter(0)
	return p.endAt(grace, func() int64 { return p.core.Connections().Total })
}

func (p *Process) inFlight() int64 { return p.core.Connections().InFlight }

func (p *Process) endAt(grace time.Duration, left func() int64) ending {
	return ending{left: left, deadline: time.After(grace), look: time.Tick(lookInterval)}
}

// awaitKeeper waits for one visitor at the meeting socket.
func (p *Process) awaitKeeper(ctx context.Context) {
	meeting := p.meeting
	if meeting == nil {
		return
	}
	go func() {
		c, err := meeting.AcceptUnix()
		if err != nil {
			return // closed: this proxy ends
		}
		select {
		case p.visitors <- c:
		case <-ctx.Done():
			c.Close()
		}
	}()
}

// meet makes a visitor the keeper, if that is what it is: the first one's user, so a
// process that could as well end this one. It gets everything that the first one gave.
func (p *Process) meet(ctx context.Context, c *net.UnixConn) bool {
	conn := ipc.FromUnix(c)
	peer, err := conn.Peer()
	if err != nil || peer.UID != p.boss {
		p.log.Warn("a stranger came to the meeting socket; turned away", "pid", peer.PID, "uid", peer.UID, "err", err)
		conn.Close()
		return false
	}
	file, err := p.meeting.File()
	if err != nil {
		p.log.Error("meeting socket", "err", err)
		conn.Close()
		return false
	}
	defer file.Close()
	s := state(p.core.Snapshot())
	hello := &ipc.Orphan{
		Build: ipc.Build(), Start: *p.start, Since: p.began,
		State:   ipc.ProxyState{Up: s.Up, Total: s.Total, Listed: p.listed.Load()},
		Clients: p.clients(),
	}
	if err := conn.Send(hello, append(append([]*os.File{}, p.files...), file)...); err != nil {
		p.log.Error("introducing this proxy to a new keeper", "err", err)
		conn.Close()
		return false
	}
	p.log.Info("a new keeper came", "pid", peer.PID)
	p.listen(ctx, conn)
	return true
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
