package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// prepareReload takes in what this process will be told to be. From now on the proxy gets to
// know the backends that are new, so that it can check them, and runners try the templates that
// are different; nothing else changes.
func (p *Process) prepareReload(m *ipc.Prepare) {
	answer := func(failed string) { p.keeper.Send(&ipc.Prepared{ID: m.ID, Error: failed}) }
	if err := p.mayReload(m.Control); err != nil {
		answer(err.Error())
		return
	}
	p.setReload(m)
	p.programs.tell(&trial{next: m.Control, data: p.dataAfter(m.Control), answer: answer})
}

func (p *Process) mayReload(next *ipc.ControlStart) error {
	if next == nil {
		return fmt.Errorf("the keeper sent a reload without orders for control")
	}
	if key := p.now.Load().Fixed(next); key != "" {
		return fmt.Errorf("control cannot change its %s while it runs", key)
	}
	if !p.joining.Load() {
		return fmt.Errorf("control is only starting")
	}
	if !p.cluster.Holds(next.GossipKeys) {
		return fmt.Errorf("cluster.gossip_key_file: it holds other gossip keys than those in use; put them into use in the whole cluster with 'tandem keys', or restart one node after the other with a file that holds both")
	}
	return p.cluster.CheckSeeds(next.Join)
}

func (p *Process) setReload(m *ipc.Prepare) {
	p.mu.Lock()
	p.prepare = m
	p.mu.Unlock()
	wake(p.nudge)
}

// commitReload brings into effect what was prepared.
func (p *Process) commitReload(m *ipc.Commit) {
	p.mu.Lock()
	was := p.prepare
	p.prepare = nil
	if was == nil || was.ID != m.ID {
		p.mu.Unlock()
		p.keeper.Send(&ipc.Committed{ID: m.ID, Error: "control is not prepared for it"})
		return
	}
	next := was.Control
	p.now.Store(next)
	if p.listed != nil {
		p.listed = p.listedAfter(next) // at once: templates are made of it
	}
	p.mu.Unlock()
	p.level.Set(slog.Level(next.LogLevel))
	answer := &ipc.Committed{ID: m.ID}
	if err := p.cluster.SetSeeds(next.Join); err != nil { // they were checked
		answer.Error = err.Error()
	}
	p.programs.tell(next)
	wake(p.nudge)
	wake(p.changed)
	p.keeper.Send(answer)
}

func (p *Process) abortReload() {
	p.setReload(nil)
	if p.joining.Load() {
		p.programs.tell(trialOver{})
	}
}

// lists computes every pool's whole list; while a reload is prepared, with what it brings.
// p.mu must be held.
func (p *Process) lists(members []membership.Member, at time.Time) (*ipc.Pools, []refusal) {
	well := p.wellSaid()
	now, refused := poolLists(p.now.Load().Pools, members, well, at)
	if p.prepare == nil {
		return now, refused
	}
	coming, _ := poolLists(p.prepare.Control.Pools, members, well, at)
	return reloadLists(now, coming, p.prepare.ID), refused
}

// listedAfter is who is in the pools after a reload. p.mu must be held.
func (p *Process) listedAfter(next *ipc.ControlStart) *ipc.Pools {
	lists, _ := poolLists(next.Pools, p.pic.members, p.wellSaid(), time.Now())
	p.inherit(lists)
	return p.hands.apply(lists)
}

// inherit adds to lists, in the first time of this process, what the proxies know. p.mu must be
// held.
func (p *Process) inherit(lists *ipc.Pools) {
	if time.Since(p.began) < inheritTime {
		for _, l := range p.proxies {
			inherit(lists, l.state.Pools, p.pic.members)
		}
	}
}

// reloadLists adds to the lists in effect what those after a reload bring: whole pools, which
// no frontend uses yet, and backends that get no request yet.
func reloadLists(now, coming *ipc.Pools, id uint64) *ipc.Pools {
	out := &ipc.Pools{Pools: slices.Clone(now.Pools), Reload: id}
	for _, c := range coming.Pools {
		i := slices.IndexFunc(out.Pools, func(p ipc.PoolBackends) bool { return p.Name == c.Name })
		if i < 0 {
			out.Pools = append(out.Pools, c)
			continue
		}
		pool := &out.Pools[i]
		pool.Backends = slices.Clone(pool.Backends)
		for _, b := range c.Backends {
			if !slices.ContainsFunc(pool.Backends, func(o ipc.Backend) bool { return o.ID == b.ID }) {
				b.Drain = true
				pool.Backends = append(pool.Backends, b)
			}
		}
	}
	return out
}

// keepAnnounced tells the cluster what has changed of this balancer, until ctx ends. It has a
// goroutine of its own, since a peer that is not there takes its time.
func (p *Process) keepAnnounced(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.changed:
			switch err := p.announceSelf(ctx); {
			case ctx.Err() != nil || err == nil:
			case errors.Is(err, membership.ErrNotTold):
				p.log.Warn("not every balancer was told directly what is new of this one; gossip will", "err", err)
			default:
				return err
			}
		}
	}
}

// reloads counts what came of them.
type reloads struct {
	loaded, refused uint64
	last            time.Time // loaded
}

// noteReload counts what came of a reload, and writes it into the timeline.
func (p *Process) noteReload(m *ipc.Reloaded) {
	p.mu.Lock()
	if m.Error != "" {
		p.reloads.refused++
	} else {
		p.reloads.loaded++
		p.reloads.last = time.Now()
	}
	p.mu.Unlock()
	e := timeline.Entry{Kind: timeline.KindReload, Name: "configuration", To: "loaded", Detail: m.Error}
	if m.Error != "" {
		e.To = "refused"
	} else {
		keys := make([]string, len(m.Changes))
		for i, c := range m.Changes {
			keys[i] = c.Key
		}
		e.Detail = strings.Join(keys, ", ")
	}
	p.note(e)
}

// reload has the keeper load its configuration again, or that of another balancer.
func (p *Process) reload(ctx context.Context, node string, dryRun bool) (api.Reload, error) {
	if there, err := p.elsewhere(node); there || err != nil {
		if err != nil {
			return api.Reload{}, err
		}
		return p.send(ctx, node, map[bool]string{true: doReloadDryRun, false: doReload}[dryRun])
	}
	ask := func() (api.Reload, error) {
		o, err := p.ask(ctx, func(id uint64) ipc.Message { return &ipc.Reload{ID: id, DryRun: dryRun} })
		if err != nil {
			return api.Reload{}, err
		}
		out := api.Reload{Message: o.Message, Changes: []api.Change{}}
		for _, c := range o.Changes {
			out.Changes = append(out.Changes, api.Change(c))
		}
		return out, nil
	}
	if dryRun {
		return ask()
	}
	var out api.Reload
	_, err := p.noted(ctx, doReload, "", func() (api.Done, error) {
		var err error
		out, err = ask()
		return api.Done{Message: out.Message}, err
	})
	return out, err
}
