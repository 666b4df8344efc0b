package keeper

import (
	"context"
	"log/slog"
	"os/exec"
	"reflect"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// trackDesk has programs look at what an operator wants looked at, one goroutine each. They
// run as those do that move a VIP: as a user of their own, without any right.
type trackDesk struct {
	node string
	log  *slog.Logger
	who  identity
	all  []*tracked
	stop map[*tracked]context.CancelFunc
	run  func(func(context.Context)) // starts a goroutine that ends with the keeper
	emit func(event)
}

// trackRan is the result of one run; nil is a success.
type trackRan struct {
	t   *tracked
	err error
}

func newTrackDesk(node string, log *slog.Logger) *trackDesk {
	return &trackDesk{node: node, log: log, who: identityFor(moverName, moverUID), stop: make(map[*tracked]context.CancelFunc)}
}

// set takes the whole list. What stays as it was goes on, with what is known of it.
func (d *trackDesk) set(cfgs []config.Track) {
	var all []*tracked
	for _, cfg := range cfgs {
		i := slices.IndexFunc(d.all, func(t *tracked) bool { return reflect.DeepEqual(t.cfg, cfg) })
		if i >= 0 {
			all = append(all, d.all[i])
			continue
		}
		t := &tracked{cfg: cfg}
		all = append(all, t)
		d.begin(t)
	}
	for _, t := range d.all {
		if !slices.Contains(all, t) {
			d.stop[t]()
			delete(d.stop, t)
		}
	}
	d.all = all
}

func (d *trackDesk) begin(t *tracked) {
	ctx, stop := context.WithCancel(context.Background())
	d.stop[t] = stop
	d.run(func(life context.Context) {
		defer context.AfterFunc(life, stop)()
		for ctx.Err() == nil {
			began := time.Now()
			err := d.once(ctx, t.cfg)
			if ctx.Err() != nil {
				return
			}
			d.emit(trackRan{t, err})
			select {
			case <-ctx.Done():
			case <-time.After(t.cfg.Interval - time.Since(began)):
			}
		}
	})
}

// once runs the program.
func (d *trackDesk) once(ctx context.Context, cfg config.Track) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	return hook.Run(ctx, hook.Program{
		Argv: cfg.Command, Env: []string{hook.Path, "TANDEM_TRACK=" + cfg.Name, "TANDEM_NODE=" + d.node},
		Start: func(cmd *exec.Cmd) error { return startWithoutRights(cmd, d.who) },
	}).Error()
}

// ran takes in a result, and says whether the state of something changed.
func (d *trackDesk) ran(now time.Time, ev trackRan) (changed bool) {
	if !slices.Contains(d.all, ev.t) || !ev.t.result(now, ev.err) { // it may have been removed meanwhile
		return false
	}
	if t := ev.t; t.failing {
		d.log.Warn("a track fails; this node is less fit", "track", t.cfg.Name, "weight", t.cfg.Weight, "err", t.reason)
	} else {
		d.log.Info("a track is well", "track", t.cfg.Name)
	}
	return true
}

// states describes them for status.
func (d *trackDesk) states() (out []ipc.Track) {
	for _, t := range d.all {
		s := ipc.Track{Name: t.cfg.Name, State: "unknown", Weight: t.cfg.Weight, Since: t.since}
		switch {
		case t.failing:
			s.State, s.Reason = "down", t.reason
		case t.known:
			s.State = "up"
		}
		out = append(out, s)
	}
	return out
}
