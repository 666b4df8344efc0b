package control

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
)

// template is one file that is made of what is known.
type template struct {
	ipc.Template
	when  render.Schedule
	state api.Template
}

func templates(start []ipc.Template) []*template {
	var out []*template
	for _, t := range start {
		out = append(out, &template{Template: t, when: render.Schedule{Quiescence: t.Quiescence}, state: api.Template{Target: t.Target}})
	}
	return out
}

// lookAtTemplates has those rendered that are due, and returns when to look again at the
// latest, as of now.
func (p *programs) lookAtTemplates(now time.Time) (again time.Duration) {
	again = lookInterval
	if len(p.templates) == 0 {
		return again
	}
	if data, known := p.dataNow(); known {
		if b, err := json.Marshal(data); err == nil && !bytes.Equal(b, p.data) {
			p.data = b
			for _, t := range p.templates {
				t.when.Changed(now)
			}
		}
	}
	for _, t := range p.templates {
		runner := p.runners[t.User]
		if runner == nil {
			continue
		}
		if t.when.Due(now) {
			if err := runner.Send(&ipc.Render{Target: t.Target, Data: p.data}); err != nil {
				p.rendered(now, t, false, err.Error())
			}
		} else if next := t.when.Deadline(); !next.IsZero() {
			again = min(again, max(next.Sub(now), time.Millisecond))
		}
	}
	return again
}

// rendered takes in what became of a template.
func (p *programs) rendered(now time.Time, t *template, changed bool, failed string) {
	t.when.Ended(now, failed == "")
	t.state.Last, t.state.LastErr = now, failed
	if changed {
		t.state.Changed++
	}
	if failed != "" {
		t.state.Failed++
		p.log.Warn("template failed", "target", t.Target, "changed", changed, "err", failed)
	} else if changed {
		p.log.Info("template rendered", "target", t.Target)
	}
}

func (p *programs) template(target string) *template {
	for _, t := range p.templates {
		if t.Target == target {
			return t
		}
	}
	return nil
}

// lostTemplates ends what a runner rendered that is gone.
func (p *programs) lostTemplates(user string) {
	for _, t := range p.templates {
		if t.User == user && t.when.Busy() {
			p.rendered(time.Now(), t, false, "the process that rendered it has ended")
		}
	}
}

// templateData is what templates see. It is not known before the seeds have been tried:
// a file without backends would be worse than an old one.
func (p *Process) templateData() (render.Data, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.settled || p.listed == nil {
		return render.Data{}, false
	}
	return templateData(p.start.Node, p.pic, p.listed), true
}

func (p *Process) askTemplateData(context.Context) (any, error) {
	data, known := p.templateData()
	if !known {
		return nil, &api.Error{Message: "this balancer does not know yet who is there", Remedy: "try again in a moment"}
	}
	return data, nil
}
