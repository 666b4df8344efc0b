package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// clusterView is what this node knows of all balancers, as of now.
func (p *Process) clusterView() api.Cluster {
	now, own := time.Now(), p.status()
	self := api.NodeView{Node: p.start.Node, Member: "alive", Status: &own, Newest: p.newest()}
	for _, m := range own.Members {
		if m.Name == self.Node {
			self.Addr = m.Addr
		}
	}
	nodes := append(p.views.list(now), self)
	slices.SortFunc(nodes, func(a, b api.NodeView) int { return strings.Compare(a.Node, b.Node) })
	c := api.Cluster{Node: p.start.Node, At: now, Nodes: nodes}
	for i := range c.Nodes {
		c.Nodes[i].Reboot = rebootOf(c, c.Nodes[i])
	}
	return c
}

// lookAround is the same for somebody who asks once, and wants it fresh.
func (p *Process) lookAround(ctx context.Context) api.Cluster {
	p.views.lookAround(ctx)
	return p.clusterView()
}

// otherBalancers are those that gossip knows, dead ones included.
func (p *Process) otherBalancers() []membership.Member {
	return slices.DeleteFunc(p.cluster.Members(), func(m membership.Member) bool {
		return m.Self || m.Meta.Role != membership.RoleBalancer
	})
}

// newest is the end of this node's timeline.
func (p *Process) newest() []api.Entry {
	return entries(p.timeline.Query(timeline.Filter{Limit: maxNewest}))
}

// answering answers other members, once opened is closed.
func (p *Process) answering(opened <-chan struct{}) func(membership.Member, []byte) ([]byte, error) {
	return func(from membership.Member, question []byte) ([]byte, error) {
		select {
		case <-opened:
			of, isTimeline := bytes.CutPrefix(question, []byte(askTimeline))
			what, isErrand := bytes.CutPrefix(question, []byte(askErrand))
			switch {
			case isErrand:
				return p.errands.answer(from.Name, what, time.Now())
			case isTimeline && from.Meta.Role == membership.RoleBalancer:
				return tellTimeline(p.timeline, p.start.Node, of, membership.MaxQuestion)
			case string(question) == askStatus && from.Meta.Role == membership.RoleBalancer:
				return p.tellStatus()
			case string(question) == askMembers && from.Meta.Role == membership.RoleBalancer:
				return squeeze(p.status().Members)
			case isTimeline, string(question) == askStatus, string(question) == askMembers:
				return nil, errors.New("only balancers are told")
			}
			return p.answer(from, question)
		default:
			return nil, errors.New("this balancer is only starting")
		}
	}
}

// tellStatus says to another balancer how this one is.
func (p *Process) tellStatus() ([]byte, error) {
	return report{Status: p.status(), Newest: p.newest()}.pack(membership.MaxQuestion)
}

func (p *Process) askStatus(ctx context.Context, node string) ([]byte, error) {
	return p.cluster.Ask(ctx, node, []byte(askStatus))
}

// membersOf asks another balancer whom it sees.
func (p *Process) membersOf(ctx context.Context, node string) ([]api.Member, error) {
	if node == p.start.Node {
		return p.status().Members, nil
	}
	if !slices.ContainsFunc(p.otherBalancers(), func(m membership.Member) bool { return m.Name == node }) {
		return nil, noBalancer(node)
	}
	ctx, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	b, err := p.cluster.Ask(ctx, node, []byte(askMembers))
	var members []api.Member
	if err == nil {
		err = unsqueeze(b, &members)
	}
	if err != nil {
		return nil, &api.Error{Message: fmt.Sprintf("%s does not say whom it sees: %v", node, err), Remedy: "'tandem members' shows whom this balancer sees"}
	}
	return members, nil
}

func noBalancer(name string) *api.Error {
	return &api.Error{Message: fmt.Sprintf("no balancer is called %q", name), Remedy: "'tandem status --cluster' names them"}
}
