package control

import (
	"context"
	"errors"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/membership"
)

// answer answers what an agent asks; see membership.Config.
func (p *Process) answer(from membership.Member, question []byte) ([]byte, error) {
	q, err := talk.ParseQuestion(question)
	if err != nil {
		return nil, err
	}
	if q.InFlight == nil {
		return nil, errors.New("that is a question for an agent")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var proxies []proxyView
	for _, l := range p.proxies {
		proxies = append(proxies, proxyView{l.pools, l.state})
	}
	return talk.Encode(inFlight(from.Name, proxies))
}

// logs asks an agent for its log.
func (p *Process) logs(ctx context.Context, q api.LogQuery) (api.LogPage, error) {
	start := p.now.Load()
	return askLog(ctx, p.cluster, identity{start.Node, start.ProofKey}, q)
}
