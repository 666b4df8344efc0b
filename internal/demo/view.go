package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/paint"
)

// view prints for a human. One goroutine uses it.
type view struct {
	w   io.Writer
	ink paint.Ink
}

func (v view) line(format string, args ...any) { fmt.Fprintf(v.w, format+"\n", args...) }

// topology draws the network.
func (v view) topology() {
	where := func(r role) string { return r.name + " " + r.addr.Addr().String() }
	box := func(r role) string { return fmt.Sprintf("%-20s", where(r)) }
	v.line("")
	v.line("                    %s   a GET on a new connection every 2 ms", v.ink.Bold("client "+clientAddr.Addr().String()))
	v.line("                              |")
	v.line("                    %s   the VIP: one balancer owns it at a time", v.ink.Cyan(fmt.Sprintf("%v:%d", vip, sitePort)))
	v.line("                 .------------+------------.")
	v.line("         %s      %s", v.ink.Green(box(balancers[0])), v.ink.Green(box(balancers[1])))
	v.line("                 '------------+------------'")
	v.line("       .----------------------+----------------------.")
	v.line("%s   %s   %s", v.ink.Bold(box(apps[0])), v.ink.Bold(box(apps[1])), v.ink.Bold(box(apps[2])))
	v.line("")
}

// progress prints one thing that was done or came true.
func (v view) progress(at time.Duration, format string, args ...any) {
	v.line("%s  %s", v.ink.Dim(clock(at)), fmt.Sprintf(format, args...))
}

// fault announces one.
func (v view) fault(at time.Duration, name, does string) {
	v.line("%s  %s  %s", v.ink.Dim(clock(at)), v.ink.Bold(fmt.Sprintf("%-14s", name)), does)
}

// live prints what the client saw in a stretch of that length.
func (v view) live(at, length time.Duration, reqs []client.Request, active string) {
	failed, skipped := 0, 0
	from := map[string]bool{}
	for _, r := range reqs {
		switch {
		case r.Good():
			from[r.From] = true
		case r.Fail == client.Skipped:
			skipped++
		default:
			failed++
		}
	}
	names := make([]string, 0, len(from))
	for n := range from {
		names = append(names, n)
	}
	slices.Sort(names)
	rate := int(float64(len(reqs)-skipped)/length.Seconds() + 0.5)
	fails := fmt.Sprintf("%4d failed", failed)
	if failed > 0 {
		fails = v.ink.Red(fails)
	}
	if active == "" {
		active = v.ink.Red("?  ")
	}
	v.line("%s  %5d req/s  %s   active %s   apps %s", v.ink.Dim(clock(at)), rate, fails, active, strings.Join(names, " "))
}

// table prints the result.
func (v view) table(r Report) {
	v.line("")
	v.line("%s", v.ink.Bold(fmt.Sprintf("%-15s %9s %9s %7s   %-16s %s", "fault", "outage", "requests", "failed", "active", "owners at once   how they failed")))
	for _, f := range r.Faults {
		failed := fmt.Sprintf("%7d", f.Failed)
		if f.Failed > 0 && costsNothing(f.Name) {
			failed = v.ink.Red(failed)
		}
		outage := fmt.Sprintf("%6d ms", f.OutageMS)
		if f.OutageMS > outageMax {
			outage = v.ink.Red(outage)
		}
		owners := fmt.Sprintf("%-14d", f.MaxOwners)
		if f.MaxOwners != 1 {
			owners = v.ink.Red(owners)
		}
		row := fmt.Sprintf("%-15s %s %9d %s   %-16s %s   %s", f.Name, outage, f.Requests, failed, move(f), owners, kinds(f.tally))
		v.line("%s", strings.TrimRight(row, " "))
	}
	v.busy(r)
	v.line("")
	if r.OK {
		v.line("%s", v.ink.Green("ok: the site survived all of it"))
		return
	}
	v.line("%s", v.ink.Red("NOT ok:"))
	for _, s := range r.Verdict() {
		v.line("  - %s", s)
	}
}

// busy says so when the machine could not keep up with the client.
func (v view) busy(r Report) {
	if behind, sent, is := r.busy(); is {
		v.line("")
		v.line("This machine was busy: %d of %d requests left late or not at all, for want of a processor.", behind, sent)
		v.line("The times above are as much its own as the site's.")
	}
}

// kinds says how many failed how, in a fixed order.
func kinds(t client.Tally) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(t.Kinds)) {
		out = append(out, fmt.Sprintf("%d %s", t.Kinds[k], k))
	}
	return strings.Join(out, ", ")
}

func move(f Fault) string {
	or := func(s string) string {
		if s == "" {
			return "?"
		}
		return s
	}
	if f.ActiveBefore == f.ActiveAfter {
		return or(f.ActiveAfter)
	}
	return or(f.ActiveBefore) + " -> " + or(f.ActiveAfter)
}

func clock(d time.Duration) string { return fmt.Sprintf("%5.1f s", d.Seconds()) }
