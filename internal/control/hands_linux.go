package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/membership"
)

const (
	// spreadInterval is how often the others are told all of it again: whoever missed it.
	spreadInterval = 30 * time.Second
	spreadTime     = 3 * time.Second // for one balancer
)

// openHands begins with what an earlier run has kept; nil: this node keeps nothing.
func (p *Process) openHands(f *os.File) {
	p.hands, p.handsFile = make(hands), f
	if f == nil {
		return
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err == nil {
		var list []hand
		list, err = decodeHands(b)
		p.hands.merge(list, time.Now())
	}
	if err != nil {
		p.log.Warn("what was set of backends by hand before cannot be read, and is left to the other balancers", "err", err)
	}
}

// keepHands writes them into the file. p.mu must be held.
func (p *Process) keepHands() {
	if p.handsFile == nil {
		return
	}
	b := encodeHands(p.hands.list())
	_, err := p.handsFile.WriteAt(b, 0)
	if err = errors.Join(err, p.handsFile.Truncate(int64(len(b)))); err == nil {
		err = p.handsFile.Sync()
	}
	if err != nil {
		p.log.Error("what was set of a backend by hand is not kept for the next start", "err", err)
	}
}

// setBackend carries out an operator's order about one backend.
func (p *Process) setBackend(ctx context.Context, o api.BackendOrder) (api.Done, error) {
	what := cmp.Or(o.State, "weight")
	if o.Weight != nil {
		what = fmt.Sprintf("weight %d", *o.Weight)
	}
	return p.noted(ctx, what+" "+o.Backend, "", func() (api.Done, error) {
		done, err := p.changeBackend(o, api.Caller(ctx))
		if err != nil {
			return api.Done{}, err
		}
		told, missed := p.spreadHands(ctx)
		switch {
		case len(missed) > 0:
			done += "; not told yet, and told as soon as it is there: " + strings.Join(missed, ", ")
		case len(told) > 0:
			done += "; " + strings.Join(told, " and ") + " did the same"
		}
		return api.Done{Message: done}, nil
	})
}

func (p *Process) changeBackend(o api.BackendOrder, who string) (did string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		return "", &api.Error{Message: "this balancer is only starting", Remedy: "try again in a moment"}
	}
	pool, b, err := find(p.known, o.Backend)
	if err != nil {
		return "", &api.Error{Message: err.Error(), Remedy: "'tandem status' shows all backends; write POOL/BACKEND where a name is in two pools"}
	}
	h := p.hands[handKey{pool, b.ID}]
	h.Pool, h.Backend, h.Who, h.Node = pool, b.ID, who, p.start.Node
	switch {
	case o.Weight != nil && (*o.Weight < 0 || *o.Weight > membership.MaxWeight):
		return "", &api.Error{Message: fmt.Sprintf("weight %d: want 1 to %d, or 0 for its own", *o.Weight, membership.MaxWeight)}
	case o.Weight != nil:
		h.Weight = *o.Weight
		did = fmt.Sprintf("%s in %s has weight %d", o.Backend, pool, cmp.Or(h.Weight, b.Weight))
	case o.State == stateReady:
		h.State, did = "", fmt.Sprintf("%s in %s gets requests again when it is up", o.Backend, pool)
	case o.State == stateDrain:
		h.State, did = stateDrain, fmt.Sprintf("%s in %s drains: it gets no new requests", o.Backend, pool)
	case o.State == stateMaint:
		h.State, did = stateMaint, fmt.Sprintf("%s in %s is in maintenance: it gets no new requests and is not checked", o.Backend, pool)
	default:
		return "", &api.Error{Message: fmt.Sprintf("a backend can be ready, drain or maint, and not %q", o.State)}
	}
	if err := p.hands.set(h, time.Now()); err != nil {
		return "", &api.Error{Message: err.Error()}
	}
	p.keepHands()
	wake(p.nudge)
	if h.State != "" && p.lastOf(pool) {
		did += "; no backend of this pool is left that gets requests"
	}
	return did, nil
}

// lastOf says that the operators have taken all backends of a pool out. p.mu must be held.
func (p *Process) lastOf(pool string) bool {
	for _, l := range p.hands.apply(p.known).Pools {
		if l.Name == pool {
			return !slices.ContainsFunc(l.Backends, func(b ipc.Backend) bool { return !b.Drain })
		}
	}
	return false
}

// spreadHands tells every other balancer that is there all of it. One that knows more answers
// with that; so does an empty list ask for it.
func (p *Process) spreadHands(ctx context.Context) (told, missed []string) {
	p.mu.Lock()
	list := p.hands.list()
	p.mu.Unlock()
	b := encodeHands(list)
	for _, m := range p.cluster.Members() {
		if m.Self || m.Meta.Role != membership.RoleBalancer || !m.State.Present() {
			continue
		}
		bound, cancel := context.WithTimeout(ctx, spreadTime)
		if err := p.cluster.Send(bound, m.Name, b); err != nil {
			p.log.Warn("a balancer was not told what was set of backends by hand; it will be", "balancer", m.Name, "err", err)
			missed = append(missed, m.Name)
		} else {
			told = append(told, m.Name)
		}
		cancel()
	}
	return told, missed
}

// keepSpreading tells the others again, now and then and when a balancer joins, until ctx ends.
func (p *Process) keepSpreading(ctx context.Context) error {
	tick := time.NewTicker(spreadInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.joined:
		case <-tick.C:
		}
		p.spreadHands(ctx)
	}
}

// heardHands takes in what another balancer has told.
func (p *Process) heardHands(m membership.Message) {
	from := slices.IndexFunc(p.cluster.Members(), func(o membership.Member) bool {
		return o.Name == m.From && o.Meta.Role == membership.RoleBalancer
	})
	list, err := decodeHands(m.Payload)
	switch {
	case err != nil:
		p.log.Warn("a message is not understood", "from", m.From, "err", err)
		return
	case from < 0: // not yet: it tells again
		p.log.Info("somebody who is not known as a balancer told what was set of backends by hand", "from", m.From)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hands.merge(list, time.Now()) {
		p.keepHands()
		p.log.Info("backends were set by hand at another balancer", "balancer", m.From, "backends", len(list))
		wake(p.nudge)
	}
	if p.hands.beyond(list) {
		wake(p.joined)
	}
}
