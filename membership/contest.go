package membership

import (
	"context"
	"sync"
	"time"
)

// Two live runs of one name are asked again after that long, twice as long each time.
const (
	firstContest = time.Second
	lastContest  = 30 * time.Second
	maxContests  = 8 // names looked at per round
)

// judgeContests finds out, whenever two runs use one name at different addresses, which of them is there: one alone
// is a member that was re-created elsewhere and is shown at once; both are a conflict.
func (c *Cluster) judgeContests(ctx context.Context) {
	again := firstContest
	for ctx.Err() == nil {
		if c.contestRound(ctx) == 0 {
			again = firstContest
			select {
			case <-c.dispute:
			case <-ctx.Done():
			}
			continue
		}
		wait := time.NewTimer(again)
		select {
		case <-c.dispute:
			again = firstContest
		case <-wait.C:
			again = min(2*again, lastContest)
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// contestRound probes the runs of contested names and returns how many names there are.
func (c *Cluster) contestRound(ctx context.Context) int {
	c.mu.Lock()
	found := c.table.contests()
	c.mu.Unlock()
	looked := 0
	for name, runs := range found {
		if looked++; looked > maxContests {
			break
		}
		answered := c.probeRuns(ctx, runs)
		if ctx.Err() != nil {
			return 0
		}
		c.note(func(now time.Time) []Event { return c.table.contested(name, answered, now) })
	}
	return len(found)
}

func (c *Cluster) probeRuns(ctx context.Context, runs []run) map[string]bool {
	var mu sync.Mutex // protects answered
	answered := map[string]bool{c.wire: true}
	var wg sync.WaitGroup
	for _, r := range runs {
		if r.wire == c.wire {
			continue
		}
		wg.Go(func() {
			if c.probe(ctx, r.wire, r.addr) {
				mu.Lock()
				answered[r.wire] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return answered
}
