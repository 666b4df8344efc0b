package control

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/hook"
)

const (
	maxKept     = 1024 // events that a watcher who was away can still be told
	maxWatchers = 64
	// aliveInterval is how often a watcher hears that nothing has happened.
	aliveInterval = 10 * time.Second
)

// feed keeps the newest events for whoever watches. It is safe for use by many goroutines.
type feed struct {
	run string // names this control process, whose numbers the events have

	mu       sync.Mutex // protects what follows
	kept     []hook.Event
	news     chan struct{} // closed with the next event
	watchers int
}

func newFeed() *feed { return &feed{run: rand.Text(), news: make(chan struct{})} }

// add keeps an event, whose numbers grow by one, and wakes who waits for it.
func (f *feed) add(e hook.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.kept) >= maxKept {
		f.kept = slices.Delete(f.kept, 0, 1)
	}
	f.kept = append(f.kept, e)
	close(f.news)
	f.news = make(chan struct{})
}

// after returns the events with higher numbers than seq, how many of them are not kept any
// more, and what is closed with the next one.
func (f *feed) after(seq uint64) (events []hook.Event, missed uint64, news <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, e := range f.kept {
		if e.Seq > seq {
			return slices.Clone(f.kept[i:]), e.Seq - seq - 1, f.news
		}
	}
	return nil, 0, f.news
}

// newest is the highest number.
func (f *feed) newest() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.kept); n > 0 {
		return f.kept[n-1].Seq
	}
	return 0
}

// enter counts one more watcher, if there is room.
func (f *feed) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers >= maxWatchers {
		return false
	}
	f.watchers++
	return true
}

func (f *feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers--
}

// watch sends what happens, from where the watcher was, until ctx ends or it is gone. Who
// comes for the first time is told what happens from now on; who comes from an earlier control
// process, all that happened in this one.
func (f *feed) watch(ctx context.Context, q api.WatchQuery, send func(any) error) error {
	for _, name := range q.Events {
		if !slices.Contains(hook.Names, name) {
			return &api.Error{Message: fmt.Sprintf("there is no event %q", name), Remedy: "the events are " + fmt.Sprint(hook.Names)}
		}
	}
	if !f.enter() {
		return &api.Error{Message: fmt.Sprintf("%d watch already", maxWatchers), Remedy: "end some of them"}
	}
	defer f.leave()
	seq := q.After
	switch q.Run {
	case "":
		seq = f.newest()
	case f.run:
	default:
		seq = 0
	}
	if err := send(api.WatchBegin{Run: f.run, After: seq}); err != nil {
		return err
	}
	alive := time.NewTicker(aliveInterval)
	defer alive.Stop()
	for {
		events, missed, news := f.after(seq)
		if missed > 0 {
			if err := send(api.WatchMissed{Missed: missed}); err != nil {
				return err
			}
		}
		for _, e := range events {
			seq = e.Seq
			if (len(q.Events) > 0 && !slices.Contains(q.Events, e.Name)) || q.ActiveOnly && !e.Active {
				continue
			}
			if err := send(e); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case <-alive.C:
			if err := send(nil); err != nil {
				return err
			}
		}
	}
}
