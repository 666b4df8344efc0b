package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// handoverMain is the command handover.
func handoverMain(args []string) int {
	return inLab(args, parseHandoverOptions, handoverReady, handovers)
}

func handoverReady(o handoverOptions) (string, error) {
	err := lab.Preflight()
	if o.peer {
		err = errors.Join(err, peerMissing())
	}
	if err != nil {
		return "", err
	}
	return prepare(o.tandem)
}

// handovers runs every scenario on every stack that has it, n times, and prints the report,
// also of a run that was interrupted.
func handovers(ctx context.Context, o handoverOptions, out, errOut io.Writer) error {
	began := time.Now()
	report := HandoverReport{Report: Report{Began: began.UTC(), Results: []Result{}}, Handovers: []HandoverResult{}}
	stacks := []string{"tandem"}
	if o.peer {
		stacks = append(stacks, "keepalived")
	}
	var seen []*stack
	for _, name := range o.scenarios {
		for range o.n {
			for _, kind := range stacks {
				do, st := planned(kind, name)
				if do == nil || ctx.Err() != nil {
					continue
				}
				seen = append(seen, st)
				r := switched(ctx, o, st, name, do)
				fmt.Fprintf(errOut, "%s %s, %s: %d moves, lost %d %s\n%v\n", time.Now().Format(time.TimeOnly), name, st.name, r.Moves, r.lost(), r.Error, r.Crowd.Errors)
				report.Handovers = append(report.Handovers, r)
			}
		}
	}
	report.about(options{tandem: o.tandem}, seen)
	report.Took, report.Load = time.Since(began).Seconds(), loadAverages()
	if o.json {
		return errors.Join(ctx.Err(), writeJSON(out, report))
	}
	return errors.Join(ctx.Err(), report.writeMarkdown(out))
}

// switched carries out one scenario on a fresh site, under the whole load.
func switched(ctx context.Context, o handoverOptions, st *stack, name string, do func(*planner) error) (r HandoverResult) {
	r = HandoverResult{Scenario: name, Stack: st.name}
	s, err := newSite(ctx, st)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	p := &planner{site: s, o: o, r: &r, ctx: ctx}
	err = s.serve(ctx, max(time.Second, st.start), s.lbs...)
	if err == nil {
		err = p.underLoad(name, do)
	}
	if err = errors.Join(err, s.close()); err != nil {
		r.Error = err.Error()
	}
	return r
}

// A planner orders planned switches on a site and notes what they cost.
type planner struct {
	*site
	o       handoverOptions
	r       *HandoverResult
	ctx     context.Context
	movedAt time.Duration // when the last move was seen, to 1 ms
}

// life is how long a stream and an upload last where a node must end: longer than any move,
// and shorter than any drain.
const life = 5 * time.Second

// underLoad has everybody at work while do runs, and counts.
func (p *planner) underLoad(name string, do func(*planner) error) error {
	cfg := client.CrowdConfig{
		Target: netip.AddrPortFrom(vip, sitePort), Dial: p.client.Dial,
		Slow: 20, Keep: 10, Streams: 20, Uploads: 1, StreamLife: life, UploadLife: life,
	}
	switch name {
	case "handovers":
		cfg.StreamLife, cfg.UploadLife = 0, 0
	case crashName: // it has clients of its own, and breaks all others
		return p.underRequests(do)
	}
	crowd, err := client.NewCrowd(cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(p.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		crowd.Run(ctx)
	}()
	err = p.underRequests(func(p *planner) error {
		defer func() {
			stop()
			<-done
		}()
		return errors.Join(p.rest(4*time.Second), do(p)) // each slow one has begun
	})
	p.r.Crowd = crowd.Report()
	return err
}

// underRequests counts what becomes of requests on new connections while do runs.
func (p *planner) underRequests(do func(*planner) error) error {
	from := p.log.Now()
	err := do(p)
	end := p.log.Now()
	if _, serr := p.wait(p.ctx, 0, settleMax, func() bool { return p.log.Settled() >= end }); serr != nil {
		return errors.Join(err, serr)
	}
	tally := client.Count(p.log.Requests(), client.Window{From: from, To: end})
	p.r.Requests, p.r.Failed, p.r.Kinds = tally.Requests, tally.Failed, map[string]int{}
	for kind, n := range tally.Kinds {
		p.r.Kinds[string(kind)] = n
	}
	p.r.OutageMS = millis(client.Outage(p.log.Requests(), client.Window{From: from, To: end}, p.log.Settled()).Length())
	p.r.Two = millis(p.owners.Report(owners.Window{From: from, To: end}).Two)
	p.r.TookS = seconds(end - from)
	return err
}

// moved runs an order and notes how long it took until the other node answered on the wire.
func (p *planner) moved(order func(from *node) error) error {
	from, err := p.onlyActive()
	if err != nil {
		return err
	}
	return p.movedTo(p.other(from), func() error { return order(from) })
}

// onlyActive waits for one node to be active, and no other: what a busy machine answers late
// looks for a moment as if there were none.
func (p *planner) onlyActive() (n *node, err error) {
	err = p.until("one node is active", func() bool { n = p.active(); return n != nil })
	return n, err
}

// movedTo is moved, to a node that is known.
func (p *planner) movedTo(to *node, order func() error) error {
	begun := p.log.Now()
	ordered := make(chan error, 1)
	go func() { ordered <- order() }()
	met, err := p.wait(p.ctx, 0, moveMax, func() bool {
		owns, _ := p.owners.Owned(to.name, owners.Window{From: begun, To: p.log.Now()})
		return owns
	})
	p.movedAt = p.owned(to, begun)
	took := p.movedAt - begun
	if err = errors.Join(err, <-ordered); err != nil {
		return err
	}
	if !met {
		return fmt.Errorf("%s did not answer for the VIP within %v", to.name, moveMax)
	}
	p.r.Moves++
	p.r.MovesMS = append(p.r.MovesMS, millis(took))
	return p.until("sole owner", func() bool { return p.active() == to })
}

// owned returns when a node first answered for the VIP since then, or now.
func (p *planner) owned(n *node, since time.Duration) time.Duration {
	now := p.log.Now()
	for t := since; t < now; t += time.Millisecond {
		if owns, _ := p.owners.Owned(n.name, owners.Window{From: since, To: t}); owns {
			return t
		}
	}
	return now
}

// moveMax bounds the time of one move.
const moveMax = 30 * time.Second

// until waits for a condition that must come.
func (p *planner) until(what string, cond func() bool) error {
	met, err := p.wait(p.ctx, 0, moveMax, cond)
	if err == nil && !met {
		err = fmt.Errorf("waited %v in vain for: %s", moveMax, what)
	}
	return err
}

func (p *planner) rest(d time.Duration) error {
	_, err := p.wait(p.ctx, d, d, func() bool { return true })
	return err
}

func (p *planner) other(n *node) *node { return p.lbs[1-slices.Index(p.lbs, n)] }
