package control

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
)

// template is one file that is made of what is known.
type template struct {
	ipc.Template
	fresh bool      // it is new, or another than before the reload
	at    *ipc.Conn // who renders it now; nil: nobody does
	when  render.Schedule
	state api.Template
}

// templates is what is to be made; one for the same target as before goes on from there.
func templates(start []ipc.Template, before []*template) []*template {
	var out []*template
	for _, s := range start {
		t := &template{fresh: true, state: api.Template{Target: s.Target}}
		if i := slices.IndexFunc(before, func(b *template) bool { return b.Target == s.Target }); i >= 0 {
			t = before[i]
			t.fresh = t.Version != s.Version
		}
		t.Template, t.when.Quiescence = s, s.Quiescence
		out = append(out, t)
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
			t.at = runner
			if err := runner.Send(&ipc.Render{Programs: p.start.Programs, Target: t.Target, Data: p.data}); err != nil {
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
	t.at = nil
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
func (p *programs) lostTemplates(runner *ipc.Conn) {
	for _, t := range p.templates {
		if t.at == runner {
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

// dataAfter is what templates will see after a reload, as JSON; nil: it is not known yet.
func (p *Process) dataAfter(next *ipc.ControlStart) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.settled || p.listed == nil {
		return nil
	}
	b, err := json.Marshal(templateData(p.start.Node, p.pic, p.listedAfter(next)))
	if err != nil {
		return nil // plain values: it cannot be
	}
	return b
}

func (p *Process) askTemplateData(context.Context) (any, error) {
	data, known := p.templateData()
	if !known {
		return nil, &api.Error{Message: "this balancer does not know yet who is there", Remedy: "try again in a moment"}
	}
	return data, nil
}
