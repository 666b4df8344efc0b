package hook

import (
	"slices"
	"time"
)

// MaxRunning bounds the programs of all hooks together that run at one time.
const MaxRunning = 32

// Rule says which events a hook wants, and how many of its programs may run at one time.
type Rule struct {
	Name        string
	Events      []string // empty: all
	ActiveOnly  bool     // only on the active balancer
	Concurrency int      // at least 1
	Queue       int      // events that wait, merged ones counted once; at least 1
}

func (r Rule) wants(e Event) bool {
	return (len(r.Events) == 0 || slices.Contains(r.Events, e.Name)) && (!r.ActiveOnly || e.Active)
}

// Started is a program that is to run now.
type Started struct {
	ID    uint64
	Rule  int // its place among the rules
	Event Event
}

// Stats is what became of one hook's programs.
type Stats struct {
	Name     string
	Waiting  int
	Running  int
	Runs     uint64 // that have ended
	Failed   uint64 // of these, timed-out ones included
	TimedOut uint64
	Dropped  uint64    // events that found the queue full
	Last     time.Time // end of the newest run
	LastErr  string    // of the newest failure; empty: none so far
}

// Scheduler holds what waits for hooks, and what runs. It is pure; one goroutine owns it.
type Scheduler struct {
	queues  []*queue          // of the rules, in their order
	running map[uint64]*queue // by program; also of rules that are no more
	id      uint64
	first   int // the rule that is asked first, so that none starves
}

// queue is one rule with what waits for it.
type queue struct {
	rule    Rule
	waiting []Event
	stats   Stats
}

// NewScheduler makes one for these hooks.
func NewScheduler(rules []Rule) *Scheduler {
	s := &Scheduler{running: make(map[uint64]*queue)}
	s.Set(rules)
	return s
}

// Set puts other rules in the place of those there are. What waits for a rule, and what is
// counted of it, is kept for the one of the same name; with a shorter queue the oldest events
// make room. What runs goes on. It returns how many events each hook lost by this, one that
// is no more all of those that waited for it.
func (s *Scheduler) Set(rules []Rule) (dropped map[string]int) {
	before := make(map[string]*queue)
	for _, d := range s.queues {
		before[d.rule.Name] = d
	}
	dropped = make(map[string]int)
	s.queues, s.first = make([]*queue, len(rules)), 0
	for i, r := range rules {
		d := before[r.Name]
		if d == nil {
			d = &queue{stats: Stats{Name: r.Name}}
		}
		delete(before, r.Name)
		d.rule, s.queues[i] = r, d
		if n := len(d.waiting) - r.Queue; n > 0 {
			d.drop(n)
			dropped[r.Name] = n
		}
	}
	for name, d := range before {
		if n := len(d.waiting); n > 0 {
			dropped[name] = n
		}
	}
	return dropped
}

// drop loses the n oldest events.
func (d *queue) drop(n int) {
	d.waiting = slices.Delete(d.waiting, 0, n)
	d.stats.Dropped += uint64(n)
}

// Add has an event wait for each hook that wants it. Where the queue is full the oldest
// event makes room: what is newer says more about how things are. It returns the hooks
// that lost one.
func (s *Scheduler) Add(e Event) (dropped []string) {
	for _, d := range s.queues {
		if !d.rule.wants(e) {
			continue
		}
		if n := len(d.waiting); n > 0 && d.waiting[n-1].merge(e) {
			continue
		}
		if e.Name == PoolBelowMinimum || e.Name == PoolMinimumMet { // what waits of this pool is out of date
			d.waiting = slices.DeleteFunc(d.waiting, func(old Event) bool { return old.Name == PoolBelowMinimum && old.Pool == e.Pool })
		}
		if n := len(d.waiting) - d.rule.Queue + 1; n > 0 {
			d.drop(n)
			dropped = append(dropped, d.rule.Name)
		}
		d.waiting = append(d.waiting, e)
	}
	return dropped
}

// Start returns the programs that may begin now, and counts them as running. A rule that
// is not ready goes on waiting; nil: all are.
func (s *Scheduler) Start(ready func(rule int) bool) []Started {
	var out []Started
	for n := range s.queues {
		i := (s.first + n) % len(s.queues)
		if ready != nil && !ready(i) {
			continue
		}
		d := s.queues[i]
		for len(d.waiting) > 0 && d.stats.Running < d.rule.Concurrency && len(s.running) < MaxRunning {
			s.id++
			out = append(out, Started{ID: s.id, Rule: i, Event: d.waiting[0]})
			d.waiting = slices.Delete(d.waiting, 0, 1)
			d.stats.Running++
			s.running[s.id] = d
		}
	}
	if len(s.queues) > 0 {
		s.first = (s.first + 1) % len(s.queues)
	}
	return out
}

// Ended takes in what became of a program. It returns the hook's name; empty: no such
// program runs.
func (s *Scheduler) Ended(id uint64, r Result) string {
	d := s.running[id]
	if d == nil {
		return ""
	}
	delete(s.running, id)
	st := &d.stats
	st.Running--
	st.Runs++
	st.Last = r.At
	if r.Err != "" {
		st.Failed++
		st.LastErr = r.Err
	}
	if r.TimedOut {
		st.TimedOut++
	}
	return st.Name
}

// Busy says whether anything waits or runs.
func (s *Scheduler) Busy() bool {
	return len(s.running) > 0 || slices.ContainsFunc(s.queues, func(d *queue) bool { return len(d.waiting) > 0 })
}

// Stats returns the counts of all hooks, in the order of the rules.
func (s *Scheduler) Stats() []Stats {
	out := make([]Stats, len(s.queues))
	for i, d := range s.queues {
		out[i] = d.stats
		out[i].Waiting = len(d.waiting)
	}
	return out
}
