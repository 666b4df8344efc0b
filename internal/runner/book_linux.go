package runner

import (
	"context"
	"fmt"
	"sync"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
)

// book is what the keeper has said that may be run.
type book struct {
	mu                sync.Mutex
	before, now, next *ipc.RunnerStart  // of the reload before, in effect, and prepared; nil: none
	places            map[string]*place // by target, of the templates of now and before
}

// place is the file that templates of one target write, one at a time.
type place struct {
	mu   sync.Mutex
	owed bool // see render.Job
}

// begin takes in the keeper's first word.
func (b *book) begin(m *ipc.RunnerStart) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now, b.places = m, make(map[string]*place)
}

// prepare takes in what a reload brings; nil: it does not come.
func (b *book) prepare(m *ipc.RunnerStart) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = m
}

// commit puts it into effect, and returns it.
func (b *book) commit() *ipc.RunnerStart {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		b.before, b.now, b.next = b.now, b.next, nil
	}
	places := make(map[string]*place)
	for _, m := range []*ipc.RunnerStart{b.before, b.now} {
		if m == nil {
			continue
		}
		for _, t := range m.Templates {
			if p := b.places[t.Target]; p != nil {
				places[t.Target] = p
			}
		}
	}
	b.places = places
	return b.now
}

// numbered returns what is known under a number. b.mu must be held.
func (b *book) numbered(number uint64) (*ipc.RunnerStart, error) {
	for _, m := range []*ipc.RunnerStart{b.now, b.next, b.before} {
		if m != nil && m.Programs == number {
			return m, nil
		}
	}
	return nil, fmt.Errorf("the order is of configuration %d, which is not known here", number)
}

// hook returns a hook of those under a number.
func (b *book) hook(number uint64, name string) (ipc.Program, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.numbered(number)
	if err != nil {
		return ipc.Program{}, err
	}
	for _, h := range m.Hooks {
		if h.Name == name {
			return h, nil
		}
	}
	return ipc.Program{}, fmt.Errorf("there is no hook %q of this user", name)
}

// job returns a template of those under a number, and the place that it writes.
func (b *book) job(number uint64, target string) (render.Job, *place, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.numbered(number)
	if err != nil {
		return render.Job{}, nil, err
	}
	for _, t := range m.Templates {
		if t.Target != target {
			continue
		}
		at := b.places[target]
		if at == nil {
			at = new(place)
			b.places[target] = at
		}
		run := func(ctx context.Context, argv []string) error {
			return hook.Run(ctx, hook.Program{Argv: argv, Env: []string{hook.Path}, Timeout: t.Timeout}).Error()
		}
		return render.Job{Source: t.Source, Target: t.Target, Check: t.Check, Reload: t.Reload, Keep: t.Keep, Run: run}, at, nil
	}
	return render.Job{}, nil, fmt.Errorf("there is no template for %s of this user", target)
}
