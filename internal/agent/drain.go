package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/membership"
)

const (
	minDrainPause = 50 * time.Millisecond // between two rounds of questions, at first; it doubles
	maxDrainPause = 400 * time.Millisecond
	drainAnswer   = time.Second // so long an answer is waited for in one round
)

// drainNews is what the balancers have said in one round.
type drainNews struct {
	requests int      // under way to the apps, as far as is known
	waiting  []string // balancers that have not said that they send nothing more and have nothing under way
}

// balancersOf names the balancers that are there.
func balancersOf(members []membership.Member) []string {
	var names []string
	for _, m := range members {
		if m.Meta.Role == membership.RoleBalancer && m.State.Present() {
			names = append(names, m.Name)
		}
	}
	return names
}

// askRound asks each balancer once, all at the same time.
func askRound(ctx context.Context, balancers []string, ask func(context.Context, string) (talk.InFlight, error)) drainNews {
	ctx, cancel := context.WithTimeout(ctx, drainAnswer)
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // protects news
		news drainNews
	)
	for _, name := range balancers {
		wg.Go(func() {
			answer, err := ask(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			news.requests += answer.Requests
			if err != nil || answer.Accepting || answer.Requests > 0 {
				news.waiting = append(news.waiting, name)
			}
		})
	}
	wg.Wait()
	slices.Sort(news.waiting)
	return news
}

func askInFlight(ctx context.Context, c *membership.Cluster, name string) (talk.InFlight, error) {
	var answer talk.InFlight
	question, err := talk.Encode(talk.Question{InFlight: &talk.InFlightQuestion{}})
	if err != nil {
		return answer, err
	}
	b, err := c.Ask(ctx, name, question)
	if err != nil {
		return answer, err
	}
	if err := talk.ParseAnswer(b, &answer); err != nil {
		return talk.InFlight{}, err
	}
	answer.Requests = max(answer.Requests, 0)
	return answer, nil
}
