package agent

import (
	"context"
	"fmt"
	"net"

	"github.com/tandem-lb/tandem/membership"
)

var _ control = (*agent)(nil)

// serveSocket answers on the socket until ctx ends.
func (a *agent) serveSocket(ctx context.Context, l net.Listener) { serveControl(ctx, l, a) }

// status is control's.
func (a *agent) status(ctx context.Context) (Status, error) {
	s := Status{Name: a.cfg.Name, Apps: []AppStatus{}, Processes: []ProcessStatus{}}
	if a.output.sender != nil {
		s.Syslog = a.output.sender.Stats()
	}
	err := a.do(ctx, func() {
		s.Stage = [...]string{"serving", "draining", "stopping", "leaving"}[a.stage]
		for _, o := range a.apps {
			s.Apps = append(s.Apps, AppStatus{a.appID(o), o.Pool, o.Port, o.health.well, o.weight, o.drain})
		}
		for i, o := range a.plan.procs {
			p := ProcessStatus{Name: o.Name, Phase: [...]string{"waiting", "running", "pausing", "over"}[o.phase], Ready: o.ready, Restarts: o.streak, Code: o.code}
			if a.procs[i] != nil {
				p.PID = a.procs[i].cmd.Process.Pid
			}
			s.Processes = append(s.Processes, p)
		}
	})
	return s, err
}

// order is control's.
func (a *agent) order(ctx context.Context, o socketOrder, drain *bool) error {
	if w := o.Weight; w != nil && (*w < membership.MinWeight || *w > membership.MaxWeight) {
		return fmt.Errorf("weight %d is not within %d to %d", *w, membership.MinWeight, membership.MaxWeight)
	}
	var found []*app
	err := a.do(ctx, func() {
		for _, app := range a.apps {
			if o.Port == 0 || app.Port == o.Port {
				found = append(found, app)
			}
		}
		weight := o.Weight
		if drain != nil {
			weight = nil
		}
		a.change(found, weight, drain)
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no app on port %d", o.Port)
	}
	return err
}

// leave is control's: the agent ends as on SIGTERM. A SIGTERM after it is the first one.
func (a *agent) leave(ctx context.Context) error {
	return a.do(ctx, func() {
		a.cfg.Log.Info("stopping", "asked", "on the socket")
		a.wind()
	})
}
