package control

import (
	"context"
	"time"
)

// keepHistory adds to the history each second, until ctx ends.
func (p *Process) keepHistory(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.history.add(p.clusterView(), p.views.every(time.Now())*3/2)
		}
	}
}
