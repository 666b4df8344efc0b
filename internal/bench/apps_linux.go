package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// appsMain is the command apps.
func appsMain(args []string) int { return inLab(args, parseAppsOptions, appsReady, lives) }

func appsReady(o appsOptions) (string, error) {
	if err := appsPossible(o); err != nil {
		return "", err
	}
	return prepareThen(o.tandem, func(work string) error { return bringSerf(o, work) })
}

// lives runs an app's life on every stack, n times, the order of the stacks rotating, and
// prints the report, also of a run that was interrupted.
func lives(ctx context.Context, o appsOptions, out, errOut io.Writer) error {
	began := time.Now()
	report := AppReport{Report: Report{Began: began.UTC(), Results: []Result{}}, Apps: []AppResult{}}
	stacks := appStacks(o.peers)
	for rep := range o.n {
		for i := range stacks {
			st := stacks[(rep+i)%len(stacks)]
			if ctx.Err() != nil || o.within > 0 && time.Since(began) > o.within {
				continue
			}
			for i, t := range appLife(ctx, o, st, rep) {
				event := appEvents[i].name
				fmt.Fprintf(errOut, "%s %d/%d %s, %s: %s\n", time.Now().Format(time.TimeOnly), rep+1, o.n, event, st.name, t.line())
				x := report.find(event, st.name)
				x.Trials = append(x.Trials, t)
			}
		}
	}
	report.about(options{tandem: o.tandem}, nil)
	aboutAppPeers(report.Versions, o.peers)
	report.Took, report.Load = time.Since(began).Seconds(), loadAverages()
	report.sum()
	write := report.writeMarkdown
	if o.json {
		write = func(w io.Writer) error { return writeJSON(w, report) }
	}
	return errors.Join(ctx.Err(), write(out))
}

// appLife lets one app of a fresh site go through all events, and returns what each of them
// cost, in their order. The first that cannot be carried out is the last.
func appLife(ctx context.Context, o appsOptions, st *appStack, rep int) (done []AppTrial) {
	s, err := newSite(ctx, &st.stack)
	if err != nil {
		return []AppTrial{{Error: err.Error()}}
	}
	err = s.serve(ctx, st.known)
	app := s.apps[len(s.apps)-1]
	for i := 0; i < len(appEvents) && (err == nil || i == 0); i++ {
		var t AppTrial
		if err == nil {
			t, err = s.undergo(ctx, st, app, appEvents[i])
		}
		if err != nil {
			t.Error = err.Error()
		}
		done = append(done, t)
	}
	if o.logs != "" {
		err = s.writeLogs(filepath.Join(o.logs, fmt.Sprintf("%d-%s.log", rep+1, st.name)), Trial{}, nil)
	}
	if err = errors.Join(err, s.close()); err != nil && ctx.Err() == nil {
		done[len(done)-1].Error = err.Error()
	}
	return done
}

// restMax is how long a stack may take to be calm again between two events.
const restMax = 40 * time.Second

// undergo makes one event happen, and reads off what it cost.
func (s *site) undergo(ctx context.Context, st *appStack, app *node, e appEvent) (t AppTrial, err error) {
	from := s.log.Now()
	switch e.name {
	case "leave":
		err = st.quit(app)
	case "join":
		err = app.start()
	case "kill":
		for _, u := range app.services {
			u.forsake()
		}
		err = killAll(app)
	case "power":
		if err = s.returned(ctx, app); err == nil {
			from = s.log.Now()
			err = app.powerOff()
		}
	}
	if err != nil {
		return t, err
	}
	end := from + e.watch
	if _, err := s.wait(ctx, e.watch-(s.log.Now()-from), e.watch+st.patience, func() bool { return s.log.Settled() >= end }); err != nil {
		return t, err
	}
	s.readOff(&t, from, end, app.name, e.name == "join")
	if e.name == "join" {
		if t.FirstMS == 0 {
			return t, fmt.Errorf("the app was not served within %v", e.watch)
		}
		_, err = s.wait(ctx, 0, restMax, s.calm)
	}
	return t, err
}

// killAll kills all that runs on the app's host, at once.
func killAll(app *node) error {
	all, err := app.processes()
	if err != nil {
		return err
	}
	return signalAll(all, syscall.SIGKILL)
}

// returned starts an app again and waits until all apps serve calmly, and have for two seconds.
func (s *site) returned(ctx context.Context, app *node) error {
	if err := app.start(); err != nil {
		return err
	}
	for _, least := range []time.Duration{0, 2 * time.Second, 0} {
		calm, err := s.wait(ctx, least, restMax, s.calm)
		if err != nil {
			return err
		}
		if !calm {
			return fmt.Errorf("the app that came back is not served calmly after %v", restMax)
		}
	}
	return nil
}

// readOff counts what became of the requests that were due from one moment to another.
func (s *site) readOff(t *AppTrial, from, end time.Duration, app string, joins bool) {
	reqs := s.log.Requests()
	count := client.Count(reqs, client.Window{From: from, To: end})
	t.Requests, t.Failed, t.Late, t.Skipped = count.Requests, count.Failed, count.Late, count.Skipped
	t.Kinds = map[string]int{}
	for kind, n := range count.Kinds {
		t.Kinds[string(kind)] = n
	}
	var slow, last, first time.Duration
	for _, r := range reqs {
		if r.Due < from || r.Due >= end || r.Fail == client.Skipped {
			continue
		}
		switch {
		case !r.Good():
			last = max(last, r.End-from)
		default:
			slow = max(slow, r.End-r.Start)
			if joins && r.From == app && (first == 0 || r.End-from < first) {
				first = r.End - from
			}
		}
	}
	t.SlowMS, t.LastMS, t.FirstMS = millis(slow), millis(last), millis(first)
}
