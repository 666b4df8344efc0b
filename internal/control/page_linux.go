package control

import (
	"context"
	"net"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/metrics"
	"github.com/tandem-lb/tandem/internal/web"
)

// servePage serves what everybody may look at, on l, until ctx ends; without l there is
// nothing to serve.
func (p *Process) servePage(ctx context.Context, l net.Listener) error {
	if l == nil {
		return nil
	}
	m, err := metrics.Handler(p.status)
	if err != nil {
		return err
	}
	s := &web.Server{Allow: p.start.StatusAllow, Metrics: m}
	return s.Serve(ctx, l)
}

// status is the API's Status at this moment.
func (p *Process) status() api.Status {
	p.mu.Lock()
	s := p.pic.status(p.now.Load(), time.Now())
	addHands(&s, p.hands, p.known)
	p.mu.Unlock()
	s.Hooks, s.Templates = p.programs.hooks(), *p.programs.files.Load()
	s.Gossip = gossip(p.cluster.Stats())
	s.Timeline = api.TimelineFile{Entries: p.timeline.Seq(), Damaged: p.timeline.Damaged(), Lost: p.lost.Load()}
	return s
}
