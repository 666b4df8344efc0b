package control

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/membership"
)

// proxyView is what control has told one proxy, and heard of it last.
type proxyView struct {
	told     *ipc.Pools // nil: nothing yet
	reported *ipc.ProxyState
}

// inFlight says what is under way, by all proxies, to the apps of the member called name. It is sure of nothing while
// there is no proxy: then a new one may be told of the apps any moment.
func inFlight(name string, proxies []proxyView) talk.InFlight {
	answer := talk.InFlight{Accepting: len(proxies) == 0}
	for _, p := range proxies {
		if p.told == nil {
			answer.Accepting = true
			continue
		}
		for _, pool := range p.told.Pools {
			for _, b := range pool.Backends {
				if membership.AppMember(b.ID) == name && !b.Drain {
					answer.Accepting = true
				}
			}
		}
		for _, pool := range p.reported.Pools {
			for _, b := range pool.Backends {
				if membership.AppMember(b.ID) != name {
					continue
				}
				answer.Requests += int(b.Current)
				if b.State == "up" {
					answer.Accepting = true
				}
			}
		}
	}
	return answer
}

// logQuestion is what to ask an agent for.
func logQuestion(q api.LogQuery) talk.Question {
	return talk.Question{Log: &talk.LogQuestion{Run: q.Run, After: q.After, Last: q.Last, Process: q.Process}}
}

// logPage is what an agent has answered.
func logPage(node string, l talk.Log) api.LogPage {
	page := api.LogPage{Node: node, Run: l.Run, Lines: []api.LogLine{}, Next: l.Next, Lost: l.Lost, More: l.More}
	for _, line := range l.Lines {
		page.Lines = append(page.Lines, api.LogLine(line))
	}
	return page
}

// asker puts a question to a member; membership.Cluster is one.
type asker interface {
	Ask(ctx context.Context, name string, question []byte) ([]byte, error)
}

// identity is who asks another member for a log or gives it an order, and how it proves that.
type identity struct {
	node string
	key  ed25519.PrivateKey // nil: it cannot
}

// What is wrong when an agent is not content.
var (
	errNoProof = &api.Error{
		Message: "the agent tells its log to balancers that prove themselves, and this one has no balancer key",
		Remedy:  "give all balancers a key (tandem keygen), or the agent read_by_anyone",
	}
	errBadProof = &api.Error{
		Message: "the agent does not take this node for a balancer: its gossip key file names others",
		Remedy:  "put what 'tandem keygen --public balancer.key' prints into it, and restart the agent",
	}
)

// askLog asks an agent for lines of its log. An agent that wants a proof first answers with what is to be signed.
func askLog(ctx context.Context, members asker, by identity, q api.LogQuery) (api.LogPage, error) {
	question := logQuestion(q)
	l, err := askOnce(ctx, members, q.Node, question)
	if err != nil || len(l.Challenge) == 0 {
		return logPage(q.Node, l), err
	}
	if by.key == nil {
		return api.LogPage{}, errNoProof
	}
	question.Log.Challenge = l.Challenge
	if err := question.Log.Sign(by.key, by.node, q.Node); err != nil {
		return api.LogPage{}, err
	}
	if l, err = askOnce(ctx, members, q.Node, question); err == nil && len(l.Challenge) > 0 {
		err = errBadProof
	}
	return logPage(q.Node, l), err
}

// askOnce puts a question about a log.
func askOnce(ctx context.Context, members asker, node string, q talk.Question) (l talk.Log, err error) {
	question, err := talk.Encode(q)
	if err != nil {
		return l, err
	}
	b, err := members.Ask(ctx, node, question)
	if errors.Is(err, membership.ErrUnknownMember) {
		return l, &api.Error{Message: fmt.Sprintf("no member called %s is there", node), Remedy: "'tandem members' names them"}
	}
	if err == nil {
		err = talk.ParseAnswer(b, &l)
	}
	return l, err
}
