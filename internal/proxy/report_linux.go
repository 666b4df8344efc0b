package proxy

import (
	"context"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/ipc"
)

const (
	// reportInterval is how often state is sent when no backend changes.
	reportInterval = time.Second
	// countInterval is how often the connections are counted, and told while draining.
	countInterval = 100 * time.Millisecond
	// restFactor is how much longer than a report took none is made, so that thousands of
	// backends that come up one by one are not reported thousands of times.
	restFactor = 10
	maxRest    = reportInterval / 2
)

// link speaks with a control process, new or for the first time, until it is gone.
func (p *Process) link(ctx context.Context, g *errgroup.Group, files []*os.File) {
	if len(files) != 1 {
		p.log.Error("a link came without its socket", "descriptors", len(files))
		return
	}
	conn, err := ipc.New(files[0])
	if err != nil {
		p.log.Error("link to control", "err", err)
		return
	}
	p.setControl(conn)
	g.Go(func() error {
		err := conn.Run(ctx, func(m ipc.Message, _ []*os.File) {
			if pools, ok := m.(*ipc.Pools); ok {
				p.setBackends(pools)
			}
		})
		p.log.Info("control is gone; keeping the backends known", "err", err)
		return nil // the next control comes with the next link
	})
	p.sendState()
}

func (p *Process) setControl(conn *ipc.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.control != nil {
		p.control.Close()
	}
	p.control = conn
}

// setBackends hands each pool its whole list.
func (p *Process) setBackends(m *ipc.Pools) {
	for _, set := range m.Pools {
		pool := p.core.Pool(set.Name)
		if pool == nil {
			p.log.Error("control speaks of a pool that is not configured", "pool", set.Name)
			continue
		}
		if err := pool.Set(backendConfigs(set.Backends)); err != nil {
			p.log.Error("backends refused; the old ones stay", "pool", set.Name, "err", err)
		}
	}
	p.listedFor.Store(m.Reload)
	if !p.listed.Swap(true) {
		p.sendState()
	}
}

// report tells keeper and control the state of the backends whenever one changes, or the
// number of requests under way to those that drain, and every second; and the keeper the number of connections.
func (p *Process) report(ctx context.Context) error {
	tick := time.NewTicker(countInterval)
	defer tick.Stop()
	var (
		told    ipc.Clients
		stateAt = time.Now()
		rest    time.Time // until then no state is sent
		rested  <-chan time.Time
		changed bool  // since stateAt
		waited  int64 // requests that agents with draining apps wait for, as last counted
	)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if n := p.core.DrainingRequests(); n != waited {
				waited, changed = n, true
			}
		case <-rested:
			rested = nil
		case <-p.core.Changes():
			changed = true
		}
		now := time.Now()
		due := (changed || now.Sub(stateAt) >= reportInterval) && !now.Before(rest)
		if changed && !due && rested == nil {
			rested = time.After(rest.Sub(now))
		}
		if is := p.clients(); is != told && (due || is.Draining) {
			told = is
			p.tell(&is) // which is its own from here on
		}
		if due {
			p.sendState()
			changed, stateAt = false, time.Now()
			rest = stateAt.Add(min(restFactor*stateAt.Sub(now), maxRest))
		}
	}
}

func (p *Process) clients() ipc.Clients {
	n := p.core.Connections()
	return ipc.Clients{Total: n.Total, InFlight: n.InFlight, Draining: p.draining.Load()}
}

// sendState tells both, as far as they are there. Nobody who misses one is worse off after
// the next.
func (p *Process) sendState() {
	s := state(p.core.Snapshot())
	s.Listed = p.listed.Load()
	p.tell(&ipc.ProxyState{Up: s.Up, Total: s.Total, Listed: s.Listed})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.control != nil {
		p.control.Send(s)
	}
}
