package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// failover runs every fault on every stack, and prints the report, also of a run that was
// interrupted. ok: every repetition could be carried out.
func failover(ctx context.Context, o options, stacks []*stack, out, errOut io.Writer) (ok bool, err error) {
	began := time.Now()
	table := newTable(o, stacks)
	err = table.run(ctx, o, stacks, func(format string, args ...any) {
		fmt.Fprintf(errOut, "%6.0f s  "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
	})
	report := Report{Began: began.UTC(), Took: time.Since(began).Seconds(), CPUs: runtime.NumCPU(), Kernel: kernel(), Load: loadAverages(), Results: []Result{}}
	ok = true
	for _, r := range table.results {
		r.sum()
		ok = ok && r.Broken == 0
		report.Results = append(report.Results, *r)
	}
	if o.json {
		return ok, errors.Join(err, writeJSON(out, report))
	}
	return ok, errors.Join(err, report.writeTable(out))
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
			if st.has(faults[name].needs) {
				r := &Result{Fault: name, Stack: st.name}
				t.results = append(t.results, r)
				t.find[[2]string{name, st.name}] = r
			}
		}
	}
	return t
}

// run fills the table, until ctx ends: all faults once, then all of them again.
func (t table) run(ctx context.Context, o options, stacks []*stack, say func(format string, args ...any)) error {
	for i := range o.n {
		for j, name := range o.faults {
			for k := range stacks {
				st := stacks[(i+j+k)%len(stacks)] // who is first takes turns
				r := t.find[[2]string{name, st.name}]
				if r == nil {
					continue
				}
				x, err := trial(ctx, o, st, name, logFile(o, name, st, i))
				if err != nil {
					return err
				}
				r.add(x)
				say("%s %d/%d %s: %s", name, i+1, o.n, st.name, x.line())
			}
		}
	}
	return nil
}

// logFile is where a repetition's logs go, empty: nowhere.
func logFile(o options, fault string, st *stack, i int) string {
	if o.logs == "" {
		return ""
	}
	return filepath.Join(o.logs, fmt.Sprintf("%s-%s-%d.log", fault, st.name, i+1))
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func loadAverages() string {
	b, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 3 {
		return "?"
	}
	return strings.Join(f[:3], " ")
}
