package control

import (
	"context"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// untilStopped waits for the keeper's word, and then leaves the cluster. If the keeper just
// ends, so does this process, at once and as it is: that balancer has failed, which is what
// the others find out, and the next keeper's control process needs the gossip port now.
func (p *Process) untilStopped(ctx context.Context) error {
	var s *ipc.Stop
	select {
	case <-ctx.Done():
		return nil
	case s = <-p.stopped:
	}
	if s == nil {
		p.log.Warn("the keeper is gone; ending")
		return nil
	}
	bound, cancel := context.WithTimeout(ctx, s.Grace*3/4) // the keeper kills at grace
	defer cancel()
	if err := p.cluster.Leave(bound); err != nil {
		p.log.Warn("leaving the cluster", "err", err)
	}
	return nil
}
