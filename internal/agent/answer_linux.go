package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/membership"
)

// drainedSoFar takes what the balancers have said.
func (a *agent) drainedSoFar(news drainNews) {
	if a.stage != draining {
		return
	}
	if len(news.waiting) == 0 {
		took := a.cfg.DrainTime - time.Until(a.drainBy)
		a.cfg.Log.Info("drained: no balancer has a request under way", "took", took.Round(time.Millisecond))
		a.halt()
		return
	}
	a.cfg.Log.Debug("draining", "requests", news.requests, "balancers", news.waiting)
}

// answer answers what another member asks; see membership.Config.
func (a *agent) answer(from membership.Member, question []byte) ([]byte, error) {
	if from.Meta.Role != membership.RoleBalancer {
		return nil, errors.New("only a balancer may ask an agent")
	}
	<-a.opened
	q, err := talk.ParseQuestion(question)
	if err != nil {
		return nil, err
	}
	if q.Log == nil {
		return nil, errors.New("that is a question for a balancer")
	}
	switch {
	case a.cfg.Agent.Log.ReadByAnyone:
	case !a.cluster.Encrypted():
		return nil, errors.New("its log is not told, since gossip is not encrypted; give all members keys (tandem keygen), or it read_by_anyone")
	case len(a.cfg.Balancers) == 0:
		return nil, errors.New("its gossip key file does not tell whom to take for a balancer: add what tandem keygen --public balancer.key prints, or it read_by_anyone")
	case !a.challenges.Good(q.Log.Challenge, from.Name, time.Now()) || !q.Log.Proven(a.cfg.Balancers, from.Name, a.cfg.Name):
		return talk.Encode(talk.Log{Challenge: a.challenges.For(from.Name, time.Now())})
	}
	return a.logPage(*q.Log).Fit()
}

// logPage returns what the ring has of what q asks for.
func (a *agent) logPage(q talk.LogQuestion) talk.Log {
	ring := a.output.ring
	after := q.After
	if q.Run != a.runID {
		after = ring.Before(max(q.Last, 0), q.Process)
	}
	kept := ring.After(after, q.Process, talk.MaxLogBytes)
	page := talk.Log{Run: a.runID, Lines: []talk.Line{}, Next: kept.Next, Lost: kept.Lost, More: kept.More}
	for _, l := range kept.Lines {
		page.Lines = append(page.Lines, talk.Line(l))
	}
	return page
}

// appID is how balancers call an app, see membership.Member.AppID.
func (a *agent) appID(o *app) string {
	if len(a.apps) == 1 {
		return a.cfg.Name
	}
	return fmt.Sprintf("%s:%d", a.cfg.Name, o.Port)
}

// change has apps announced otherwise, as the socket wants it. loop calls it.
func (a *agent) change(apps []*app, weight *int, drain *bool) {
	for _, o := range apps {
		if weight != nil && o.weight != *weight {
			a.cfg.Log.Info("another weight", "app", a.appID(o), "weight", *weight, "before", o.weight)
			o.weight = *weight
		}
		if drain != nil && o.drain != *drain {
			a.cfg.Log.Info("drain", "app", a.appID(o), "drain", *drain)
			o.drain = *drain
		}
	}
	a.announce()
}
