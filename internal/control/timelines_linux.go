package control

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/timeline"
)

// tellTimeline tells what happened on all balancers, or the one that is named.
func (p *Process) tellTimeline(ctx context.Context, q api.TimelineQuery) (api.Timeline, error) {
	nodes, parts, err := p.gather(ctx, q)
	if err != nil {
		return api.Timeline{}, err
	}
	all := timeline.Merge(parts...)
	if over := len(all) - q.Limit; q.Limit > 0 && over > 0 {
		all = all[over:]
	}
	return api.Timeline{Node: p.start.Node, At: time.Now(), Nodes: nodes, Entries: entries(all)}, nil
}

// gather asks all balancers at once for what is wanted of each. One that does not answer is no
// error: what it said last stands for it.
func (p *Process) gather(ctx context.Context, q api.TimelineQuery) ([]api.NodeTimeline, []timeline.Part, error) {
	own := p.start.Node
	views := slices.DeleteFunc(p.views.list(time.Now()), func(v api.NodeView) bool { return q.Node != "" && v.Node != q.Node })
	if q.Node != "" && q.Node != own && len(views) == 0 {
		return nil, nil, noBalancer(q.Node)
	}
	all, about := make([]told, len(views), len(views)+1), make([]api.NodeTimeline, len(views), len(views)+1)
	var asking sync.WaitGroup
	for i, v := range views {
		asking.Go(func() { all[i], about[i] = p.hear(ctx, v, questionFor(q, v.Node)) })
	}
	asking.Wait()
	if q.Node == "" || q.Node == own {
		mine := told{Part: timeline.Part{Entries: p.timeline.Query(questionFor(q, own).filter())}}
		all, about = append(all, mine), append(about, mine.about(own))
	}
	slices.SortFunc(about, func(a, b api.NodeTimeline) int { return strings.Compare(a.Node, b.Node) })
	parts := make([]timeline.Part, len(all))
	for i, t := range all {
		parts[i] = t.Part
	}
	return about, parts, nil
}

// hear asks one other balancer.
func (p *Process) hear(ctx context.Context, v api.NodeView, q timelineQuestion) (told, api.NodeTimeline) {
	t, err := told{}, fmt.Errorf("it is not there: gossip says %s", v.Member)
	if v.Member == "alive" || v.Member == "suspect" {
		t, err = askTimelineOf(ctx, p.cluster, v.Node, q)
	}
	if err == nil {
		about := t.about(v.Node)
		return t, about
	}
	t = lastWord(v, q)
	about := t.about(v.Node)
	about.Age, about.Error = v.Age, err.Error()
	return t, about
}

// why tells the last change of a VIP or group, or why a backend gets no requests. Also where it is
// about one balancer, the others know what led to it.
func (p *Process) why(ctx context.Context, of, node string) (api.Story, error) {
	if _, err := p.elsewhere(node); err != nil {
		return api.Story{}, err
	}
	group, isGroup := p.groupOf(of)
	cluster := make(chan api.Cluster, 1)
	if !isGroup {
		go func() { cluster <- p.lookAround(ctx) }()
	}
	nodes, parts, err := p.gather(ctx, api.TimelineQuery{})
	if err != nil {
		return api.Story{}, err
	}
	var told api.Story
	if all := timeline.Merge(parts...); isGroup {
		s, ok := timeline.Why(all, group, node)
		if !ok {
			return api.Story{}, &api.Error{Message: "nothing has changed since the timeline begins", Remedy: "'tandem status' shows who is active now"}
		}
		told = story(s)
	} else if s, ok := backendStory(<-cluster, of, all); ok {
		told = s
	} else {
		return api.Story{}, &api.Error{
			Message: fmt.Sprintf("there is no VIP, group, backend, pool or member %q here", of),
			Remedy:  "'tandem status' and 'tandem members' name them; an app that never joined is known to its own host alone: look at the log of its agent there",
		}
	}
	told.Nodes = nodes
	return told, nil
}

// groupOf is the VIP group that is meant by a name or an address; "" means any.
func (p *Process) groupOf(name string) (group string, ok bool) {
	if name == "" {
		return "", true
	}
	addr, _ := netip.ParseAddr(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pic.keeper != nil {
		for _, g := range p.pic.keeper.Groups {
			if g.Name == name || slices.Contains(g.VIPs, addr) {
				return g.Name, true
			}
		}
	}
	return "", false
}
