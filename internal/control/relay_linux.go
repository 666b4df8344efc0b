package control

import (
	"context"

	"github.com/tandem-lb/tandem/membership"
)

const (
	relayFanout = 3  // members that carry one query of the keeper's
	maxQueries  = 64 // that wait to be passed on; what comes then is dropped
)

// relay passes the keeper's queries on to members of the cluster, and what they bring back
// to the keeper, until ctx ends. Whatever is lost on the way, the keeper asks anew.
func (p *Process) relay(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-p.queries:
			back := func(a membership.RelayAnswer) { p.keeper.Send(relayAnswer(q, a)) }
			if err := p.cluster.Relay(q.To, q.Datagram, relayFanout, back); err != nil {
				p.log.Debug("query not relayed", "to", q.To, "err", err)
			}
		}
	}
}
