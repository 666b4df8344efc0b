package lbcore

import "time"

// RetryBudget bounds how many requests of a pool are sent again, so that retries do not
// finish off backends that are overloaded: over the last ten seconds, at most Percent of
// the requests, and PerSecond besides.
type RetryBudget struct {
	Percent   int // 0 to 100
	PerSecond int // so that a pool with little to do may retry, too; 0 to 10,000
}

func (b *RetryBudget) check(bad func(string, ...any)) {
	if b.Percent < 0 || b.Percent > 100 || b.PerSecond < 0 || b.PerSecond > 10_000 {
		bad("retry budget of %d percent and %d per second: want 0 to 100 and 0 to 10000", b.Percent, b.PerSecond)
	}
}

// budgetSeconds is the time that a budget looks back.
const budgetSeconds = 10

// spending is what one loop has given a pool, and given it again, in each of the last
// seconds. It is pure: now is any clock that does not go back.
type spending struct {
	second int64 // the newest one
	given  [budgetSeconds]struct{ requests, retries int }
}

// advance forgets what is too old.
func (s *spending) advance(now time.Duration) {
	second := int64(now / time.Second)
	for ; s.second < second; s.second++ {
		if second-s.second > budgetSeconds {
			s.second = second - budgetSeconds
		}
		s.given[(s.second+1)%budgetSeconds] = struct{ requests, retries int }{}
	}
}

// request notes that a request was given to the pool.
func (s *spending) request(now time.Duration) {
	s.advance(now)
	s.given[s.second%budgetSeconds].requests++
}

// retry reports whether a request may be sent again, and notes it. The loop is one of
// several, which share the PerSecond.
func (s *spending) retry(now time.Duration, b *RetryBudget, loops int) bool {
	s.advance(now)
	requests, retries := 0, 0
	for _, g := range s.given {
		requests += g.requests
		retries += g.retries
	}
	most := requests*b.Percent/100 + (b.PerSecond*budgetSeconds+loops-1)/loops
	if retries >= most {
		return false
	}
	s.given[s.second%budgetSeconds].retries++
	return true
}
