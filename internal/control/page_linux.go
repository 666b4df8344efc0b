package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/metrics"
	"github.com/tandem-lb/tandem/internal/timeline"
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
	s := &web.Server{
		Allow: p.start.StatusAllow, Metrics: m, Cluster: p.picture, History: p.history.json, Changed: p.news,
		Hosts: func() []string { return append([]string{p.start.Node}, p.now.Load().StatusHosts...) },
		Admin: web.Admin{Tokens: func() [][]byte { return p.now.Load().AdminTokens }, Carry: p.carry, Log: p.log},
	}
	return s.Serve(ctx, l)
}

// status is the API's Status at this moment.
func (p *Process) status() api.Status {
	p.mu.Lock()
	s := p.pic.status(p.now.Load(), time.Now())
	addHands(&s, p.hands, p.known)
	s.Outside = p.outside
	s.Config.Loaded, s.Config.Refused, s.Config.Since = p.reloads.loaded, p.reloads.refused, p.reloads.last
	if s.Config.Since.IsZero() {
		s.Config.Since = p.began
	}
	p.mu.Unlock()
	addWhy(&s)
	s.Hooks, s.Templates = p.programs.hooks(), *p.programs.files.Load()
	s.Gossip = gossip(p.cluster.Stats())
	s.Timeline = api.TimelineFile{Entries: p.timeline.Seq(), Damaged: p.timeline.Damaged(), Lost: p.lost.Load()}
	for i, g := range s.Groups {
		s.Groups[i].Why = p.whyIn(g.Name, g.State)
	}
	return s
}

// whyIn is why a group is in a state, as a sentence; "" when the timeline does not tell.
func (p *Process) whyIn(group, state string) string {
	last := p.timeline.Query(timeline.Filter{Kinds: []string{timeline.KindState}, Group: group, Limit: 1})
	if len(last) == 0 || last[0].To != state {
		return ""
	}
	return timeline.Because(last[0])
}

// picture is what the page shows. That it is made means that somebody looks.
func (p *Process) picture() []byte {
	p.views.look(time.Now())
	b, err := json.Marshal(p.clusterView())
	if err != nil {
		p.log.Error("the status page cannot be shown", "err", err)
	}
	return b
}

// isNews has the page show what was just reported.
func (p *Process) isNews() {
	select {
	case p.news <- struct{}{}:
	default: // it is about to
	}
}

// carry carries out an order that was given on the page.
func (p *Process) carry(ctx context.Context, who string, o web.Order) (string, error) {
	ctx = api.WithCaller(ctx, who)
	var (
		done api.Done
		err  error
	)
	switch o.Do {
	case web.DoDrain, web.DoMaint, web.DoReady:
		done, err = p.setBackend(ctx, api.BackendOrder{Backend: o.Backend, State: o.Do})
	case web.DoWeight:
		done, err = p.setBackend(ctx, api.BackendOrder{Backend: o.Backend, Weight: &o.Weight})
	case web.DoHandover:
		done, err = p.handOver(ctx, o.Group, o.To)
	case web.DoMaintOn, web.DoMaintOff:
		done, err = p.maintain(ctx, o.To, o.Do == web.DoMaintOn)
	default:
		err = fmt.Errorf("the page cannot order %q", o.Do)
	}
	return done.Message, err
}
