package agent

import (
	"context"
	"errors"
	"log/slog"

	"github.com/tandem-lb/tandem/membership"
)

// announcer keeps telling the cluster the newest meta. A newer one never waits for an older one to be told.
type announcer struct {
	cluster *membership.Cluster
	log     *slog.Logger
	newest  chan membership.Meta // capacity 1
}

func newAnnouncer(c *membership.Cluster, log *slog.Logger) *announcer {
	return &announcer{cluster: c, log: log, newest: make(chan membership.Meta, 1)}
}

// set replaces what is to be told. One goroutine calls it.
func (a *announcer) set(m membership.Meta) {
	select {
	case <-a.newest:
	default:
	}
	a.newest <- m
}

// loop tells until ctx ends.
func (a *announcer) loop(ctx context.Context) {
	var next *membership.Meta
	for {
		if next == nil {
			select {
			case m := <-a.newest:
				next = &m
			case <-ctx.Done():
				return
			}
		}
		telling, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		m := *next
		go func() {
			defer close(done)
			a.tell(telling, m)
		}()
		next = nil
		select {
		case <-done:
		case m := <-a.newest:
			next = &m
		}
		cancel()
		<-done
	}
}

// tell says m to the cluster. What it cannot tell directly, gossip does.
func (a *announcer) tell(ctx context.Context, m membership.Meta) {
	err := a.cluster.SetMeta(ctx, m)
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, membership.ErrClosed) {
		a.log.Warn("not told directly; gossip will", "err", err)
	}
}
