package proxy

import (
	"context"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// How an answer is waited for: so exactly, and for so long.
const (
	firstEvery  = 2 * time.Millisecond
	firstWithin = 10 * time.Second
)

// awaitFirst tells the keeper when the first request was served from now on. It looks at counters, so
// that no request has anything to do for it.
func (p *Process) awaitFirst(ctx context.Context, m ipc.AwaitFirst) error {
	began, before := time.Now(), p.core.Answered()
	tick := time.NewTicker(firstEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		switch after := time.Since(began); {
		case p.core.Answered() > before:
			p.tell(&ipc.FirstServed{AwaitFirst: m, After: after}) // a keeper that is gone needs it no more
			return nil
		case after > firstWithin:
			return nil
		}
	}
}
