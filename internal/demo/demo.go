package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tandem-lb/tandem/internal/paint"
)

// Options of [Run].
type Options struct {
	JSON bool // print one JSON object to out and nothing else; progress goes to errOut
	Keep bool // leave everything running after the faults until ctx ends

	// In gives the commands of Keep, a line each; nil: none.
	In io.Reader
	// Exe is the tandem that runs in the hosts; default: this very program.
	Exe string

	// sabotage, for tests, is called right after a fault was injected.
	sabotage func(s *site, fault string) error
}

const (
	startMax = 20 * time.Second // until the site serves
	// quiet comes before the first fault: the reader sees what is normal, and a backup that has
	// heard an active for so long fails over as it always will (election.DefaultNewFor).
	quiet     = 5 * time.Second
	settleMax = 3 * time.Second // until the last window's requests have ended
)

// Run builds the network, starts everything, injects the faults and prints the
// result to out. It has to be called inside a lab (lab.Enter).
//
// ok is the report's: everything was as promised. An error means that the demo
// could not be carried out; what failed, and the daemons' last lines, have then
// been written to errOut. With Options.JSON the object is printed in any case,
// unless ctx ended. Run returns after everything it started has ended, within
// 40 s (Keep: after ctx, or "quit").
func Run(ctx context.Context, opt Options, out, errOut io.Writer) (ok bool, err error) {
	human := out
	if opt.JSON {
		human = errOut
	}
	r := &runner{opt: opt, view: view{w: human, ink: paint.To(human)}}
	r.report = Report{Balancers: len(balancers), Backends: len(apps)}
	err = r.run(ctx)
	if ctx.Err() != nil {
		err = errors.New("interrupted; all that was started has ended")
	}
	bad := r.report.Verdict()
	if r.site != nil && ctx.Err() == nil && (err != nil || len(bad) > 0) {
		r.explain(errOut)
	}
	r.report.OK = err == nil && len(bad) == 0
	if err == nil {
		r.view.table(r.report)
	}
	if opt.JSON && ctx.Err() == nil {
		if werr := r.report.writeJSON(out); err == nil {
			err = werr
		}
	}
	if err == nil && opt.Keep {
		err = r.keep(ctx)
	}
	if r.site != nil {
		if cerr := r.site.close(); err == nil {
			err = cerr
		}
	}
	return r.report.OK, err
}

// runner is one run of the demo.
type runner struct {
	opt    Options
	view   view
	site   *site
	report Report

	windows []window
	told    time.Duration // when the last live line was printed
	lost    string        // the host that lost its power
}

func (r *runner) run(ctx context.Context) (err error) {
	r.view.topology()
	if r.site, err = build(ctx, r.opt.Exe); err != nil {
		return err
	}
	s := r.site
	r.progress("the network stands: %d hosts on one switch", len(s.machines)+1)
	s.observe()
	if err := s.start(); err != nil {
		return err
	}
	r.progress("started: tandem lb in %d hosts, tandem agent and an app in %d", len(balancers), len(apps))
	if err := r.untilServed(ctx); err != nil {
		return err
	}
	if _, err := s.wait(ctx, nil, quiet, quiet, r.tick); err != nil {
		return err
	}
	defer r.sumUp()
	for _, name := range Faults {
		if err := r.inject(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return r.settle(ctx)
}

// settle lets the last window run until what was due in it has ended.
func (r *runner) settle(ctx context.Context) error {
	last := &r.windows[len(r.windows)-1]
	settled := expectation{"the last requests to end", func() bool {
		return r.site.log.Settled() >= last.until
	}}
	missing, err := r.site.wait(ctx, []expectation{settled}, 0, settleMax, r.tick)
	last.until = r.site.log.Now()
	if last.waited == "" {
		last.waited = missing
	}
	return err
}

// sumUp turns the windows into the report.
func (r *runner) sumUp() {
	for _, w := range r.windows {
		r.report.Faults = append(r.report.Faults, r.site.measure(w))
	}
}

// untilServed waits until every host listens, one is active, and all apps answer.
func (r *runner) untilServed(ctx context.Context) error {
	s := r.site
	var list []expectation
	for _, m := range s.machines {
		port := uint16(appPort)
		if m.args[0] == "lb" {
			port = sitePort
		}
		list = append(list, expectation{
			fmt.Sprintf("%s to listen on port %d", m.name, port),
			func() bool { return m.listens(port) },
		})
	}
	list = append(list, s.served(appsWithout())...)
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	missing, err := s.wait(ctx, list, 0, startMax, func() {
		for _, m := range s.machines {
			if !m.running() {
				giveUp(fmt.Errorf("tandem %s in %s did not stay: %v", m.args[0], m.name, m.proc.Wait()))
			}
		}
	})
	if err != nil {
		return err
	}
	if missing != "" {
		return fmt.Errorf("the site did not come up: waited %v in vain for %s", startMax, missing)
	}
	r.progress("the site serves from %d apps, %s is active", len(apps), s.active())
	r.told = s.log.Now() // that nobody answered before is no news
	return nil
}

// inject does one fault and appends what it cost to the report.
func (r *runner) inject(ctx context.Context, name string) error {
	s := r.site
	active, err := r.untilOneIsActive(ctx)
	if err != nil {
		return err
	}
	step, err := steppers[name](s, active, r.lost)
	if err != nil {
		return err
	}
	if s.log.Now()-r.told >= 100*time.Millisecond {
		r.live() // so that no line mixes what came before and after
	}
	r.view.fault(s.log.Now(), name, step.does)
	w := window{name: name, from: s.log.Now()}
	if err := step.hit(); err != nil {
		return err
	}
	if name == PowerLoss {
		r.lost = active
	}
	if r.opt.sabotage != nil {
		if err := r.opt.sabotage(s, name); err != nil {
			return err
		}
	}
	if w.waited, err = s.wait(ctx, step.over, windowMin, windowMax, r.tick); err != nil {
		return err
	}
	w.calm = s.log.Now()
	if _, err := s.wait(ctx, nil, rest, rest, r.tick); err != nil {
		return err
	}
	if _, err := r.untilOneIsActive(ctx); err != nil {
		return err
	}
	w.until = s.log.Now()
	r.windows = append(r.windows, w)
	if w.waited != "" {
		r.progress("%s", r.view.ink.Red("waited in vain for "+w.waited))
	}
	return nil
}

// untilOneIsActive waits a little for it, since a busy machine may have kept the owner's last answer back; "" if in vain.
func (r *runner) untilOneIsActive(ctx context.Context) (string, error) {
	s := r.site
	known := []expectation{{"one host to be active", func() bool { return s.active() != "" }}}
	if _, err := s.wait(ctx, known, 0, settleMax, r.tick); err != nil {
		return "", err
	}
	return s.active(), nil
}

// tick prints a live line once a second.
func (r *runner) tick() {
	if r.site.log.Now()-r.told >= time.Second {
		r.live()
	}
}

// live prints what the client saw since the last such line.
func (r *runner) live() {
	now := r.site.log.Now()
	r.view.live(now, now-r.told, r.site.log.Since(r.told), r.site.active())
	r.told = now
}

func (r *runner) progress(format string, args ...any) {
	at := time.Duration(0)
	if r.site != nil {
		at = r.site.log.Now()
	}
	r.view.progress(at, format, args...)
}
