package agent

import (
	"context"
	"time"

	"github.com/tandem-lb/tandem/internal/talk"
)

// watchDrain asks the balancers again and again, until all have said that nothing is under way, or ctx ends. It asks
// ever more seldom, so that hundreds of agents that stop at once do not keep a balancer busy with it.
func (a *agent) watchDrain(ctx context.Context) {
	for pause := minDrainPause; ; pause = min(2*pause, maxDrainPause) {
		news := askRound(ctx, balancersOf(a.cluster.Members()), func(ctx context.Context, name string) (talk.InFlight, error) {
			return askInFlight(ctx, a.cluster, name)
		})
		select {
		case a.drained <- news:
		case <-ctx.Done():
			return
		case <-a.over:
			return
		}
		if len(news.waiting) == 0 {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}
