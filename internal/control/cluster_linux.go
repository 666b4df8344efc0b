package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/membership"
)

// server is the admin API of this process.
func (p *Process) server() *api.Server {
	return &api.Server{
		Status: p.status, Cluster: p.lookAround, MembersOf: p.membersOf, Reload: p.reload, ReplaceProxy: p.replaceProxy, HandOver: p.handOver, Maintain: p.maintain,
		Keys: p.keys, Join: p.join, SetBackend: p.setBackend, Event: p.event,
		Timeline: p.tellTimeline, Why: p.why, Logs: p.logs, Who: caller,
		TemplateData: p.askTemplateData, Routes: p.routes,
		Watch: p.programs.feed.watch,
	}
}

// keys carries out an order about the gossip keys, in the whole cluster.
func (p *Process) keys(ctx context.Context, order api.KeyOrder) (api.Keys, error) {
	var (
		r     membership.KeyReport
		err   error
		added string
	)
	switch order.Do {
	case "list":
		r, err = p.cluster.ListKeys(ctx)
	case "add":
		added, r, err = p.cluster.AddKey(ctx, order.Key)
	case "use":
		r, err = p.cluster.UseKey(ctx, order.Fingerprint)
	case "remove":
		r, err = p.cluster.RemoveKey(ctx, order.Fingerprint)
	default:
		err = fmt.Errorf("keys can be listed, added, used and removed, and not: %q", order.Do)
	}
	if err != nil && len(r.Holders) == 0 {
		return api.Keys{}, err
	}
	return keyReport(r, added, err), nil
}

// join tries seeds once.
func (p *Process) join(ctx context.Context, seeds []string) (api.Done, error) {
	return p.noted(ctx, "join "+strings.Join(seeds, ","), "", func() (api.Done, error) {
		if err := p.cluster.Join(ctx, seeds...); err != nil {
			return api.Done{}, err
		}
		return api.Done{Message: fmt.Sprintf("joined; %d members are known", len(p.cluster.Members()))}, nil
	})
}

// event tells every member of a user event.
func (p *Process) event(ctx context.Context, e api.Event) (api.Done, error) {
	n, err := p.cluster.Broadcast(ctx, e.Name, e.Payload)
	switch {
	case err != nil && n > 0:
		err = &api.Error{Message: fmt.Sprintf("%d members have taken the event, but not all: %v", n, err), Remedy: "send it again for them; the others get it twice then"}
	case errors.Is(err, membership.ErrPayloadTooLarge):
		err = &api.Error{Message: err.Error(), Remedy: "put it where all can fetch it, and send its address"}
	}
	if err != nil {
		return api.Done{}, err
	}
	return api.Done{Message: fmt.Sprintf("%d members have taken the event", n)}, nil
}
