package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"
)

// failover runs every fault on every stack, and prints the report, also of a run that was
// interrupted. ok: every repetition could be carried out, and with --check, kept the promises.
func failover(ctx context.Context, o options, stacks []*stack, out, errOut io.Writer) (ok bool, err error) {
	began := time.Now()
	table := newTable(o, stacks)
	err = table.run(ctx, o, stacks, began, errOut)
	report := Report{Began: began.UTC(), Took: time.Since(began).Seconds(), Seed: o.seed, Load: loadAverages(), Results: []Result{}}
	report.about(o, stacks)
	ok = true
	for _, r := range table.results {
		r.sum()
		ok = ok && r.Broken == 0
		if st := stackOf(stacks, r.Stack); o.check && !st.peer {
			for _, what := range r.broken() {
				ok = false
				fmt.Fprintln(errOut, "A PROMISE IS BROKEN:", what)
			}
		}
		report.Results = append(report.Results, *r)
	}
	switch {
	case o.json:
		err = errors.Join(err, writeJSON(out, report))
	case o.table:
		err = errors.Join(err, report.writeMarkdown(out))
	default:
		err = errors.Join(err, report.writeTable(out))
	}
	return ok, err
}

// A table has a result for each fault of each stack that can have it.
type table struct {
	results []*Result // by fault, then by stack
	find    map[[2]string]*Result
}

func newTable(o options, stacks []*stack) table {
	t := table{find: map[[2]string]*Result{}}
	for _, name := range o.faults {
		for _, st := range stacks {
			if st.has(faults[name].needs) && (o.named || st.joins(name)) {
				r := &Result{Fault: name, Stack: st.name}
				t.results = append(t.results, r)
				t.find[[2]string{name, st.name}] = r
			}
		}
	}
	return t
}

// plan is the order of all repetitions: all faults once, then all of them again.
func (t table) plan(o options, stacks []*stack) (todo []repetition) {
	for i := range o.n {
		for j, name := range o.faults {
			for k := range stacks {
				st := stacks[(i+j+k)%len(stacks)] // who is first takes turns
				if t.find[[2]string{name, st.name}] != nil {
					todo = append(todo, repetition{name, st.name, i})
				}
			}
		}
	}
	return todo
}

// run fills the table, until ctx ends or the time is up, and tells the progress.
func (t table) run(ctx context.Context, o options, stacks []*stack, began time.Time, errOut io.Writer) error {
	todo := t.plan(o, stacks)
	soFar := newForecast()
	chance := rand.New(rand.NewPCG(o.seed, 0))
	for k, next := range todo {
		now := time.Now()
		if o.within > 0 && now.Sub(began) >= o.within {
			fmt.Fprintf(errOut, "%v are over: %d of %d repetitions are left out\n", o.within, len(todo)-k, len(todo))
			return nil
		}
		x, err := trial(ctx, o, stackOf(stacks, next.stack), next.fault, time.Duration(chance.Int64N(int64(phaseMax))), logFile(o, next))
		if err != nil {
			return err
		}
		took := time.Since(now)
		x.At, x.TookS = seconds(now.Sub(began)), seconds(took)
		t.find[[2]string{next.fault, next.stack}].add(x)
		soFar.add(next.fault, next.stack, took)
		left := soFar.left(todo[k+1:])
		fmt.Fprintf(errOut, "%s  %d/%d, until %s (%.0f min)  %s %d/%d %s: %s\n", time.Now().Format(time.TimeOnly), k+1, len(todo),
			time.Now().Add(left).Format("15:04"), left.Minutes(), next.fault, next.i+1, o.n, next.stack, x.line())
	}
	return nil
}

// stackOf finds a stack by its name, which one of them has.
func stackOf(stacks []*stack, name string) *stack {
	return stacks[slices.IndexFunc(stacks, func(st *stack) bool { return st.name == name })]
}

// logFile is where a repetition's logs go, empty: nowhere.
func logFile(o options, r repetition) string {
	if o.logs == "" {
		return ""
	}
	return filepath.Join(o.logs, fmt.Sprintf("%s-%s-%d.log", r.fault, r.stack, r.i+1))
}
