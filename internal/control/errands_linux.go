package control

import (
	"context"
	"fmt"
	"slices"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/membership"
)

// elsewhere reports whether an order is for another balancer than this one, and refuses one for none.
func (p *Process) elsewhere(node string) (bool, error) {
	if node == "" || node == p.start.Node {
		return false, nil
	}
	if !slices.ContainsFunc(p.otherBalancers(), func(m membership.Member) bool { return m.Name == node }) {
		return false, noBalancer(node)
	}
	return true, nil
}

// send has another balancer carry an order out.
func (p *Process) send(ctx context.Context, node, what string) (api.Reload, error) {
	now := p.now.Load()
	return giveErrand(ctx, p.cluster, identity{p.start.Node, now.ProofKey}, node, what, api.Caller(ctx))
}

// runErrand carries out what was ordered on another balancer.
func (p *Process) runErrand(ctx context.Context, what, who string) (api.Reload, error) {
	ctx = api.WithCaller(ctx, who)
	done := func(d api.Done, err error) (api.Reload, error) {
		return api.Reload{Message: d.Message, Changes: []api.Change{}}, err
	}
	switch what {
	case doReload, doReloadDryRun:
		return p.reload(ctx, "", what == doReloadDryRun)
	case doReloadProxy:
		return done(p.replaceProxy(ctx, ""))
	case doMaintOn, doMaintOff:
		return done(p.maintain(ctx, "", what == doMaintOn))
	}
	return api.Reload{}, &api.Error{Message: fmt.Sprintf("%s cannot be ordered from another balancer here", what), Remedy: "are both of one version? give the order on " + p.start.Node + " itself"}
}
