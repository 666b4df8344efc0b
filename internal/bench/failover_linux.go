package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// failover runs every fault on every stack, and prints the report. ok: every repetition
// could be carried out.
func failover(ctx context.Context, o options, stacks []*stack, out, errOut io.Writer) (ok bool, err error) {
	began := time.Now()
	var results []*Result
	find := map[[2]string]*Result{}
	for _, name := range o.faults {
		for _, st := range stacks {
			if st.has(faults[name].needs) {
				r := &Result{Fault: name, Stack: st.name}
				results = append(results, r)
				find[[2]string{name, st.name}] = r
			}
		}
	}
	for i := range o.n {
		for j, name := range o.faults {
			for k := range stacks {
				st := stacks[(i+j+k)%len(stacks)] // who is first takes turns
				r := find[[2]string{name, st.name}]
				if r == nil {
					continue
				}
				t, err := trial(ctx, o, st, name, logFile(o, name, st, i))
				if err != nil {
					return false, err
				}
				r.add(t)
				fmt.Fprintf(errOut, "%6.0f s  %s %d/%d %s: %s\n", time.Since(began).Seconds(), name, i+1, o.n, st.name, t.line())
			}
		}
	}
	report := Report{Began: began.UTC(), Took: time.Since(began).Seconds(), CPUs: runtime.NumCPU(), Kernel: kernel(), Load: loadAverages()}
	ok = true
	for _, r := range results {
		r.sum()
		ok = ok && r.Broken == 0
		report.Results = append(report.Results, *r)
	}
	if o.json {
		return ok, writeJSON(out, report)
	}
	return ok, report.writeTable(out)
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
