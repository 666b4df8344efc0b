package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
)

// job is one template; two control processes may ask for it at one time.
type job struct {
	mu sync.Mutex // held while it is applied
	render.Job
}

func newJobs(templates []ipc.TemplateJob) map[string]*job {
	jobs := make(map[string]*job)
	for _, t := range templates {
		run := func(ctx context.Context, argv []string) error {
			return hook.Run(ctx, hook.Program{Argv: argv, Env: []string{hook.Path}, Timeout: t.Timeout}).Error()
		}
		jobs[t.Target] = &job{Job: render.Job{Source: t.Source, Target: t.Target, Check: t.Check, Reload: t.Reload, Keep: t.Keep, Run: run}}
	}
	return jobs
}

// render applies a template and says what became of it.
func (p *Process) render(ctx context.Context, conn *ipc.Conn, order *ipc.Render) {
	began := time.Now()
	changed, err := p.apply(ctx, order)
	answer := &ipc.Rendered{Target: order.Target, Changed: changed, Took: time.Since(began)}
	if err != nil {
		answer.Error = err.Error()
	}
	if err := conn.Send(answer); err != nil {
		p.log.Warn("a template was rendered, and control does not listen", "target", order.Target, "changed", changed, "err", answer.Error)
	}
}

func (p *Process) apply(ctx context.Context, order *ipc.Render) (changed bool, err error) {
	j := p.jobs[order.Target]
	if j == nil {
		return false, fmt.Errorf("there is no template for %s of this user", order.Target)
	}
	var data render.Data
	if err := json.Unmarshal(order.Data, &data); err != nil {
		return false, fmt.Errorf("data of the template: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Apply(ctx, data)
}
