package control

import (
	"context"
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

// askLog asks an agent for lines of its log.
func askLog(ctx context.Context, members asker, q api.LogQuery) (api.LogPage, error) {
	question, err := talk.Encode(logQuestion(q))
	if err != nil {
		return api.LogPage{}, err
	}
	b, err := members.Ask(ctx, q.Node, question)
	if errors.Is(err, membership.ErrUnknownMember) {
		return api.LogPage{}, &api.Error{Message: fmt.Sprintf("no member called %s is there", q.Node), Remedy: "'tandem members' names them"}
	}
	if err != nil {
		return api.LogPage{}, err
	}
	var l talk.Log
	if err := talk.ParseAnswer(b, &l); err != nil {
		return api.LogPage{}, err
	}
	return logPage(q.Node, l), nil
}
