package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/hook"
)

// watcher is somebody who watches a feed over the API.
type watcher struct {
	t       *testing.T
	events  chan string // "name seq"
	trouble chan error
	stop    func() error
}

func watchFeed(t *testing.T, socket string, q api.WatchQuery) *watcher {
	t.Helper()
	w := &watcher{t: t, events: make(chan string, 4*maxKept), trouble: make(chan error, 64)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- api.NewClient(socket).Watch(ctx, q, func(line json.RawMessage) {
			var e hook.Event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Error(err)
			}
			w.events <- strings.TrimSpace(e.Name + " " + e.Reason)
		}, func(err error) { w.trouble <- err })
	}()
	w.stop = func() error { cancel(); return <-done }
	return w
}

func (w *watcher) next(want string) {
	w.t.Helper()
	select {
	case got := <-w.events:
		if got != want {
			w.t.Errorf("told %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatalf("not told %q within 20 s", want)
	}
}

// serveFeed answers the API of one control process until the returned function is called.
func serveFeed(t *testing.T, f *feed, socket string) (end func()) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = (&api.Server{Watch: f.watch}).Serve(ctx, l) })
	end = sync.OnceFunc(func() { cancel(); serving.Wait() })
	t.Cleanup(end)
	return end
}

// number fills a feed as programs does.
type number struct {
	f   *feed
	seq uint64
}

func (n *number) add(e hook.Event) {
	n.seq++
	e.Seq = n.seq
	n.f.add(e)
}

func untilWatched(t *testing.T, f *feed, by int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		f.mu.Lock()
		n := f.watchers
		f.mu.Unlock()
		if n == by {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d watch, want %d", n, by)
		}
	}
}

func TestAWatcherIsToldWhatHappensAndAcrossARestartWhatHappenedMeanwhile(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	first := number{f: newFeed()}
	end := serveFeed(t, first.f, socket)
	first.add(hook.Event{Name: hook.Fault, Reason: "before"}) // is no news any more
	w := watchFeed(t, socket, api.WatchQuery{Events: []string{hook.Fault}})
	untilWatched(t, first.f, 1)
	first.add(hook.Event{Name: hook.Active})
	first.add(hook.Event{Name: hook.Fault, Reason: "one"})
	w.next("fault one")

	// The connection breaks, the process is the same: nothing is told twice, nothing lost.
	end()
	first.add(hook.Event{Name: hook.Fault, Reason: "two"})
	end = serveFeed(t, first.f, socket)
	w.next("fault two")

	// Another process: all that it has seen is news.
	end()
	second := number{f: newFeed()}
	second.add(hook.Event{Name: hook.Fault, Reason: "three"})
	serveFeed(t, second.f, socket)
	w.next("fault three")
	if err := w.stop(); err != nil {
		t.Errorf("stopped, it says %v", err)
	}
	if len(w.trouble) != 2 || len(w.events) != 0 {
		t.Errorf("told of %d outages and %d more events, want 2 and none", len(w.trouble), len(w.events))
	}
}

func TestAWatcherHearsWhatItAsksFor(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	n := number{f: newFeed()}
	serveFeed(t, n.f, socket)
	w := watchFeed(t, socket, api.WatchQuery{ActiveOnly: true})
	untilWatched(t, n.f, 1)
	n.add(hook.Event{Name: hook.MemberJoin})
	n.add(hook.Event{Name: hook.MemberLeave, Active: true})
	w.next("member-leave")

	var e *api.Error
	err := api.NewClient(socket).Watch(t.Context(), api.WatchQuery{Events: []string{"member-joined"}}, nil, func(err error) { t.Error(err) })
	if !errors.As(err, &e) || !strings.Contains(e.Remedy, "member-join") {
		t.Errorf("an event that there is not is answered by %v", err)
	}
}

func TestAWatcherThatWasAwayTooLongIsToldHowMuchItMissed(t *testing.T) {
	n := number{f: newFeed()}
	for range maxKept + 10 {
		n.add(hook.Event{Name: hook.Fault})
	}
	ctx, cancel := context.WithCancel(t.Context())
	var missed, told uint64
	err := n.f.watch(ctx, api.WatchQuery{Run: n.f.run, After: 3}, func(v any) error {
		switch v := v.(type) {
		case api.WatchMissed:
			missed = v.Missed
		case hook.Event:
			if told++; v.Seq == n.seq {
				cancel()
			}
		}
		return nil
	})
	if err != nil || missed != 7 || told != maxKept {
		t.Errorf("%v: %d missed, %d told, want 7 and %d", err, missed, told, maxKept)
	}
}

func TestTooManyWatchersAreRefused(t *testing.T) {
	f := newFeed()
	for range maxWatchers {
		if !f.enter() {
			t.Fatal("refused too early")
		}
	}
	var e *api.Error
	if err := f.watch(t.Context(), api.WatchQuery{}, nil); !errors.As(err, &e) {
		t.Errorf("one too many is told %v", err)
	}
}
