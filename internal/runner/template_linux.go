package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
)

// trialLimit bounds a trial, for which a whole reload waits; the keeper gives up a little later.
const trialLimit = 10 * time.Second

// render applies a template, or tries to, and says what became of it.
func (p *Process) render(ctx context.Context, conn *ipc.Conn, order *ipc.Render) {
	began := time.Now()
	var changed bool
	job, at, err := p.book.job(order.Programs, order.Target)
	switch {
	case err != nil:
	case order.Trial:
		err = try(ctx, job, order.Data)
	default:
		changed, err = at.apply(ctx, job, order.Data)
	}
	answer := &ipc.Rendered{Programs: order.Programs, Trial: order.Trial, Target: order.Target, Changed: changed, Took: time.Since(began)}
	if err != nil {
		answer.Error = err.Error()
	}
	if err := conn.Send(answer); err != nil {
		p.log.Warn("a template was rendered, and control does not listen", "target", order.Target, "changed", changed, "err", answer.Error)
	}
}

func (at *place) apply(ctx context.Context, job render.Job, data json.RawMessage) (changed bool, err error) {
	d, err := dataOf(data)
	if err != nil {
		return false, err
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	job.Owed = at.owed
	changed, err = job.Apply(ctx, d)
	at.owed = job.Owed
	return changed, err
}

// try says what would go wrong, as far as that can be told with the data there are.
func try(ctx context.Context, job render.Job, data json.RawMessage) error {
	if len(data) == 0 {
		return render.Parse(job.Source)
	}
	d, err := dataOf(data)
	if err != nil {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	err = job.Try(bound, d)
	if errors.Is(bound.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("its check has not ended within %v", trialLimit)
	}
	return err
}

func dataOf(b json.RawMessage) (d render.Data, err error) {
	if err = json.Unmarshal(b, &d); err != nil {
		err = fmt.Errorf("data of the template: %w", err)
	}
	return d, err
}
