package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/membership"
)

const (
	// viewInterval is how often the other balancers are asked while somebody looks, and
	// idleInterval while nobody does: often enough that the first look shows a node that has
	// just died as it was.
	viewInterval = time.Second
	idleInterval = 5 * time.Second
	// lookedFor is how long somebody who has looked counts as looking.
	lookedFor = 10 * time.Second
	// viewTimeout bounds one question, and viewPatience the wait of who looks for the answers.
	viewTimeout = 3 * time.Second
	// viewFresh is how old a word may be that is shown to somebody who asks once: who has just
	// given an order wants to see what came of it.
	viewFresh    = 100 * time.Millisecond
	viewPatience = 500 * time.Millisecond
	// maxViews bounds the balancers that are shown, as many as the election knows.
	maxViews = 32
)

// views keeps what the other balancers last said of themselves. It asks while run does.
type views struct {
	ask     func(ctx context.Context, node string) ([]byte, error)
	others  func() []membership.Member // the other balancers that gossip knows, dead ones included
	running sync.WaitGroup

	mu      sync.Mutex      // protects what follows
	serving context.Context // while run runs
	nodes   map[string]*view
	looked  time.Time // when somebody last did
}

func newViews(others func() []membership.Member, ask func(context.Context, string) ([]byte, error)) *views {
	return &views{ask: ask, others: others, nodes: make(map[string]*view)}
}

// run asks the other balancers again and again until ctx ends, and returns when no question
// is under way any more.
func (v *views) run(ctx context.Context) error {
	v.serve(ctx)
	tick := time.NewTicker(viewInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			v.stop()
			v.running.Wait()
			return nil
		case now := <-tick.C:
			v.refresh(now, v.every(now)-viewInterval/10)
		}
	}
}

func (v *views) serve(ctx context.Context) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.serving = ctx
}

// stop has no more questions asked.
func (v *views) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.serving = nil
}

// view is one other balancer.
type view struct {
	report report
	at     time.Time // when it came; zero: never
	clock  clock
	err    string        // why the last question brought nothing
	asked  time.Time     // when it last was
	done   chan struct{} // closed when the question under way has ended; nil: there is none
}

// look notes that somebody looks now.
func (v *views) look(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looked = now
}

// refresh asks those that have not been asked for so long, and forgets who is not known any more. It does not wait: what it returns is
// closed one after the other as the questions end.
func (v *views) refresh(now time.Time, age time.Duration) (asking []chan struct{}) {
	others := v.others()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.serving == nil {
		return nil
	}
	known := make(map[string]bool)
	for _, m := range others[:min(len(others), maxViews)] {
		known[m.Name] = true
		n := v.nodes[m.Name]
		if n == nil {
			n = new(view)
			v.nodes[m.Name] = n
		}
		if n.done == nil && m.State.Present() && now.Sub(n.asked) >= age {
			n.asked, n.done = now, make(chan struct{})
			ctx := v.serving
			v.running.Go(func() { v.question(ctx, m.Name, n) })
		}
		if n.done != nil {
			asking = append(asking, n.done)
		}
	}
	for name, n := range v.nodes {
		if !known[name] && n.done == nil {
			delete(v.nodes, name)
		}
	}
	return asking
}

// every is how often the others are asked at present.
func (v *views) every(now time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.interval(now)
}

func (v *views) interval(now time.Time) time.Duration {
	if now.Sub(v.looked) < lookedFor {
		return viewInterval
	}
	return idleInterval
}

// question asks one node, within viewTimeout.
func (v *views) question(ctx context.Context, name string, n *view) {
	bound, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	var r report
	sent := time.Now()
	b, err := v.ask(bound, name)
	got := time.Now()
	if err == nil {
		r, err = unpack(name, b)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		n.err = fmt.Sprintf("no answer within %v", viewTimeout)
	case err != nil:
		n.err = err.Error()
	default:
		n.report, n.at, n.err = r, got, ""
		n.clock = n.clock.better(readClock(sent, r.Status.At, got))
	}
	close(n.done)
	n.done = nil
}

// list is what is known of others at now.
func (v *views) list(now time.Time) (out []api.NodeView) {
	others := v.others()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range others[:min(len(others), maxViews)] {
		one := api.NodeView{Node: m.Name, Member: m.State.String(), Addr: netip.AddrPortFrom(m.Addr, m.Port)}
		if n := v.nodes[m.Name]; n != nil {
			one.Error = n.err
			if !n.at.IsZero() {
				s := n.report.Status
				one.Age, one.Status, one.Newest = now.Sub(n.at), &s, n.report.Newest
				one.ClockOffset, one.ClockExact = n.clock.offset, n.clock.exact
			}
		}
		out = append(out, one)
	}
	return out
}

// lookAround notes that somebody looks, and has those asked whose word is old. It returns
// when they have answered, or after viewPatience, or when ctx ends.
func (v *views) lookAround(ctx context.Context) {
	now := time.Now()
	v.look(now)
	bound, cancel := context.WithTimeout(ctx, viewPatience)
	defer cancel()
	for _, done := range v.refresh(now, viewFresh) {
		select {
		case <-done:
		case <-bound.Done():
			return
		}
	}
}
