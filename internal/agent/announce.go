package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"

	"github.com/tandem-lb/tandem/membership"
)

// standing is what the balancers are to know of the app.
type standing struct {
	well     bool // it is announced
	draining bool // no new requests, please
}

// announcer keeps telling the cluster the newest standing. A newer one never waits for an older one to be told.
type announcer struct {
	cluster *membership.Cluster
	meta    membership.Meta // of an app that is well
	log     *slog.Logger
	newest  chan standing // capacity 1
}

func newAnnouncer(c *membership.Cluster, meta membership.Meta, log *slog.Logger) *announcer {
	return &announcer{cluster: c, meta: meta, log: log, newest: make(chan standing, 1)}
}

// set replaces what is to be told. One goroutine calls it.
func (a *announcer) set(s standing) {
	select {
	case <-a.newest:
	default:
	}
	a.newest <- s
}

// loop tells until ctx ends.
func (a *announcer) loop(ctx context.Context) {
	next, ok := standing{}, false
	for {
		if !ok {
			select {
			case next = <-a.newest:
			case <-ctx.Done():
				return
			}
		}
		telling, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		s := next
		go func() {
			defer close(done)
			a.tell(telling, s)
		}()
		ok = false
		select {
		case <-done:
		case next = <-a.newest:
			ok = true
		}
		cancel()
		<-done
	}
}

// tell says s to the cluster. What it cannot tell directly, gossip does.
func (a *announcer) tell(ctx context.Context, s standing) {
	err := a.cluster.SetMeta(ctx, a.metaOf(s))
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, membership.ErrClosed) {
		a.log.Warn("not told directly; gossip will", "err", err)
	}
}

// metaOf returns what to announce: an app that is not well has no address.
func (a *announcer) metaOf(s standing) membership.Meta {
	m := a.meta
	app := m.Apps[0]
	app.Drain = s.draining
	if !s.well {
		app.Addr = netip.AddrPort{}
	}
	m.Apps = []membership.App{app}
	return m
}
