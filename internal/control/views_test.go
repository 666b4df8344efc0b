package control

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/membership"
)

// peer is a balancer that is asked.
type peer struct {
	mu    sync.Mutex // protects what follows
	state membership.State
	asked int
	delay time.Duration
	err   error
	gone  bool
}

func (p *peer) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// times is how often it was asked.
func (p *peer) times() (n int) {
	p.set(func() { n = p.asked })
	return n
}

func (p *peer) others() []membership.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	return []membership.Member{{Name: "lb2", State: p.state}}
}

func (p *peer) ask(ctx context.Context, _ string) ([]byte, error) {
	p.mu.Lock()
	p.asked++
	delay, err := p.delay, p.err
	p.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return report{Status: api.Status{Node: "lb2"}}.pack(1 << 20)
}

// watched runs the views of p in fake time.
func watched(t *testing.T, p *peer, with func(t *testing.T, v *views)) {
	synctest.Test(t, func(t *testing.T) {
		v := newViews(p.others, p.ask)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- v.run(ctx) }()
		synctest.Wait()
		with(t, v)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestOthersAreAskedOftenOnlyWhileSomebodyLooks(t *testing.T) {
	p := &peer{state: membership.StateAlive}
	watched(t, p, func(t *testing.T, v *views) {
		time.Sleep(60*time.Second + time.Millisecond)
		idle := p.times()
		if idle < 11 || idle > 13 {
			t.Errorf("asked %d times in an idle minute, want once in 5 s", idle)
		}
		for range 60 {
			v.look(time.Now())
			time.Sleep(time.Second)
		}
		if busy := p.times() - idle; busy < 55 || busy > 61 {
			t.Errorf("asked %d times in a minute of looking, want once a second", busy)
		}
	})
}

func TestWhoLooksGetsAFreshWordAndItsAge(t *testing.T) {
	p := &peer{state: membership.StateAlive, delay: 100 * time.Millisecond}
	watched(t, p, func(t *testing.T, v *views) {
		time.Sleep(5900 * time.Millisecond) // the last word is of 5 s
		v.lookAround(t.Context())
		got := v.list(time.Now())
		if len(got) != 1 || got[0].Node != "lb2" || got[0].Status == nil || got[0].Age != 0 || got[0].Member != "alive" {
			t.Errorf("got %+v", got)
		}
		if age := v.list(time.Now().Add(time.Second))[0].Age; age != time.Second {
			t.Errorf("a second later its age is %v", age)
		}
	})
}

func TestADeadNodesLastWordStaysAndGrowsOld(t *testing.T) {
	p := &peer{state: membership.StateAlive}
	watched(t, p, func(t *testing.T, v *views) {
		v.lookAround(t.Context())
		p.set(func() { p.err = errors.New("no route") })
		time.Sleep(20 * time.Second)
		got := v.list(time.Now())[0]
		if got.Status == nil || got.Age < 19*time.Second || got.Error != "no route" || got.Heard() {
			t.Errorf("it does not answer: %+v", got)
		}
		p.set(func() { p.state = membership.StateFailed })
		asked := p.times()
		time.Sleep(20 * time.Second)
		if got := v.list(time.Now())[0]; p.times() != asked || got.Member != "failed" || got.Status == nil {
			t.Errorf("it has failed, asked %d times since: %+v", p.times()-asked, got)
		}
		p.set(func() { p.gone = true })
		time.Sleep(2 * time.Second)
		if got := v.list(time.Now()); len(got) != 0 || len(v.nodes) != 0 {
			t.Errorf("gossip has forgotten it: %+v, %d kept", got, len(v.nodes))
		}
	})
}

func TestANodeThatHangsHoldsNobodyUp(t *testing.T) {
	p := &peer{state: membership.StateAlive, delay: time.Hour}
	watched(t, p, func(t *testing.T, v *views) {
		began := time.Now()
		v.lookAround(t.Context())
		if took := time.Since(began); took != viewPatience {
			t.Errorf("who looks waited %v, want %v", took, viewPatience)
		}
		if got := v.list(time.Now())[0]; got.Status != nil || got.Heard() {
			t.Errorf("got %+v", got)
		}
		time.Sleep(viewTimeout)
		if got := v.list(time.Now())[0]; got.Error == "" {
			t.Error("nobody says that it does not answer")
		}
	})
}
