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
	rules   []Rule
	waiting [][]Event
	stats   []Stats
	running map[uint64]int // the rule of each program that runs
	id      uint64
	first   int // the rule that is asked first, so that none starves
}

// NewScheduler makes one for these hooks.
func NewScheduler(rules []Rule) *Scheduler {
	s := &Scheduler{rules: rules, waiting: make([][]Event, len(rules)), stats: make([]Stats, len(rules)), running: make(map[uint64]int)}
	for i, r := range rules {
		s.stats[i].Name = r.Name
	}
	return s
}

// Add has an event wait for each hook that wants it. Where the queue is full the oldest
// event makes room: what is newer says more about how things are. It returns the hooks
// that lost one.
func (s *Scheduler) Add(e Event) (dropped []string) {
	for i, r := range s.rules {
		if !r.wants(e) {
			continue
		}
		queue := s.waiting[i]
		if n := len(queue); n > 0 && queue[n-1].merge(e) {
			continue
		}
		if e.Name == PoolBelowMinimum || e.Name == PoolMinimumMet { // what waits of this pool is out of date
			queue = slices.DeleteFunc(queue, func(old Event) bool { return old.Name == PoolBelowMinimum && old.Pool == e.Pool })
		}
		if len(queue) >= r.Queue {
			queue = slices.Delete(queue, 0, len(queue)-r.Queue+1)
			s.stats[i].Dropped++
			dropped = append(dropped, r.Name)
		}
		s.waiting[i] = append(queue, e)
	}
	return dropped
}

// Start returns the programs that may begin now, and counts them as running. A rule that
// is not ready goes on waiting; nil: all are.
func (s *Scheduler) Start(ready func(rule int) bool) []Started {
	var out []Started
	for n := range s.rules {
		i := (s.first + n) % len(s.rules)
		if ready != nil && !ready(i) {
			continue
		}
		for len(s.waiting[i]) > 0 && s.stats[i].Running < s.rules[i].Concurrency && len(s.running) < MaxRunning {
			s.id++
			out = append(out, Started{ID: s.id, Rule: i, Event: s.waiting[i][0]})
			s.waiting[i] = slices.Delete(s.waiting[i], 0, 1)
			s.running[s.id] = i
			s.stats[i].Running++
		}
	}
	if len(s.rules) > 0 {
		s.first = (s.first + 1) % len(s.rules)
	}
	return out
}

// Ended takes in what became of a program. It returns the hook's name; empty: no such
// program runs.
func (s *Scheduler) Ended(id uint64, r Result) string {
	i, runs := s.running[id]
	if !runs {
		return ""
	}
	delete(s.running, id)
	st := &s.stats[i]
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
	return len(s.running) > 0 || slices.ContainsFunc(s.waiting, func(w []Event) bool { return len(w) > 0 })
}

// Running returns the programs of one hook that run.
func (s *Scheduler) Running(rule int) []uint64 {
	var ids []uint64
	for id, of := range s.running {
		if of == rule {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Stats returns the counts of all hooks, in the order of the rules.
func (s *Scheduler) Stats() []Stats {
	out := slices.Clone(s.stats)
	for i := range out {
		out[i].Waiting = len(s.waiting[i])
	}
	return out
}
