package control

import (
	"context"
	"errors"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// maxOrders bounds the orders that wait for the keeper's answer.
const maxOrders = 16

// ask passes an order on to the keeper and waits for its outcome, or the end of ctx.
func (p *Process) ask(ctx context.Context, order func(id uint64) ipc.Message) (*ipc.Outcome, error) {
	answer := make(chan *ipc.Outcome, 1)
	p.mu.Lock()
	if len(p.asked) >= maxOrders {
		p.mu.Unlock()
		return nil, &api.Error{Message: "too many orders wait for the keeper", Remedy: "try again when they are done"}
	}
	p.order++
	id := p.order
	p.asked[id] = answer
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.asked, id)
	}()
	if err := p.keeper.Send(order(id)); err != nil {
		return nil, err
	}
	select {
	case o := <-answer:
		if o.Error != "" {
			return nil, &api.Error{Message: o.Error, Remedy: o.Remedy}
		}
		return o, nil
	case <-ctx.Done():
		return nil, errors.Join(&api.Error{Message: "the keeper did not say in time what became of it", Remedy: "look at 'tandem status' and the balancer's log"}, ctx.Err())
	}
}

// outcome hands the keeper's answer to whoever waits for it.
func (p *Process) outcome(o *ipc.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer := p.asked[o.ID]; answer != nil {
		answer <- o // there is room for one, and there is one
		delete(p.asked, o.ID)
	}
}

func (p *Process) replaceProxy(ctx context.Context, node string) (api.Done, error) {
	if there, err := p.elsewhere(node); there || err != nil {
		return p.sendDone(ctx, node, doReloadProxy, err)
	}
	return p.noted(ctx, doReloadProxy, "", func() (api.Done, error) {
		o, err := p.ask(ctx, func(id uint64) ipc.Message { return &ipc.ReplaceProxy{ID: id} })
		if err != nil {
			return api.Done{}, err
		}
		return api.Done{Message: o.Message}, nil
	})
}

func (p *Process) handOver(ctx context.Context, group, to string) (api.Done, error) {
	what := "handover"
	if to != "" {
		what += " to " + to
	}
	return p.noted(ctx, what, group, func() (api.Done, error) {
		o, err := p.ask(ctx, func(id uint64) ipc.Message { return &ipc.HandOver{ID: id, Group: group, To: to} })
		if err != nil {
			return api.Done{}, err
		}
		return api.Done{Message: o.Message}, nil
	})
}

// sendDone is send of what has no other result than that it was done; err is why it is not even tried.
func (p *Process) sendDone(ctx context.Context, node, what string, err error) (api.Done, error) {
	if err != nil {
		return api.Done{}, err
	}
	r, err := p.send(ctx, node, what)
	return api.Done{Message: r.Message}, err
}

func (p *Process) maintain(ctx context.Context, node string, on bool) (api.Done, error) {
	what := map[bool]string{true: doMaintOn, false: doMaintOff}[on]
	if there, err := p.elsewhere(node); there || err != nil {
		return p.sendDone(ctx, node, what, err)
	}
	return p.noted(ctx, what, "", func() (api.Done, error) {
		o, err := p.ask(ctx, func(id uint64) ipc.Message { return &ipc.Maintain{ID: id, On: on} })
		if err != nil {
			return api.Done{}, err
		}
		return api.Done{Message: o.Message}, nil
	})
}
