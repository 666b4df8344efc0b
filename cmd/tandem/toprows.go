package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

// topRow is a frontend, pool or backend as all balancers together carry it: their rates are
// added up, and the latencies are of the one that has most of its requests.
type topRow struct {
	Name     string      `json:"name"`
	Pool     string      `json:"pool,omitempty"`  // of a backend
	State    string      `json:"state,omitempty"` // of a backend; of a pool: how many are up
	Live     api.Live    `json:"live"`
	Current  int64       `json:"current"` // connections of a frontend, requests under way of a backend
	busiest  float64     // requests of the balancer that the latencies are of
	order    int         // in the configuration
	children []*topRow   // backends of a pool
	up       int         // of the children
	seen     []seenState // of a backend, as the following
	addr     string
	weight   int
	why      string // it gets no requests, from somebody at least
}

type seenState struct{ node, state string }

// add takes in what one balancer says of it.
func (r *topRow) add(l *api.Live, current int64) {
	r.Current += current
	if l == nil {
		return
	}
	if l.Requests >= r.busiest {
		r.busiest, r.Live.P50, r.Live.P95, r.Live.P99 = l.Requests, l.P50, l.P95, l.P99
	}
	r.Live.Requests += l.Requests
	r.Live.Errors += l.Errors
	r.Live.Refused += l.Refused
	r.Live.BytesIn += l.BytesIn
	r.Live.BytesOut += l.BytesOut
	r.Live.Window = max(r.Live.Window, l.Window)
}

// topRows adds up what all balancers that are heard say.
func topRows(c api.Cluster) (frontends, pools []*topRow) {
	fs, ps := make(map[string]*topRow), make(map[string]*topRow)
	get := func(all map[string]*topRow, name string) *topRow {
		if all[name] == nil {
			all[name] = &topRow{Name: name, order: len(all)}
		}
		return all[name]
	}
	for _, v := range c.Nodes {
		if !v.Heard() {
			continue
		}
		for _, f := range v.Status.Frontends {
			get(fs, f.Name).add(f.Live, f.Current)
		}
		for _, p := range v.Status.Pools {
			pool := get(ps, p.Name)
			pool.add(p.Live, 0)
			for _, b := range p.Backends {
				pool.backend(v.Node, b)
			}
		}
	}
	return inOrder(fs), inOrder(ps)
}

func inOrder(all map[string]*topRow) []*topRow {
	var out []*topRow
	for _, r := range all {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *topRow) int { return cmp.Compare(a.order, b.order) })
	for _, r := range out {
		for _, b := range r.children {
			b.State = b.seenAs()
			if b.State == "up" {
				r.up++
			}
		}
		if r.children != nil {
			r.State = fmt.Sprintf("%d of %d up", r.up, len(r.children))
		}
	}
	return out
}

// backend adds what one balancer says of a backend of this pool.
func (r *topRow) backend(node string, b api.Backend) {
	i := slices.IndexFunc(r.children, func(o *topRow) bool { return o.Name == b.ID })
	if i < 0 {
		i = len(r.children)
		r.children = append(r.children, &topRow{Name: b.ID, Pool: r.Name, order: i})
	}
	one := r.children[i]
	one.add(b.Live, b.Current)
	one.seen = append(one.seen, seenState{node, b.State})
	one.addr, one.weight, one.why = b.Addr.String(), b.Weight, cmp.Or(one.why, b.Why)
	r.Current += b.Current
}

// seenAs is a backend's state; where the balancers do not see it alike, who sees what.
func (r *topRow) seenAs() string {
	var words []string
	same := true
	for _, s := range r.seen {
		words = append(words, s.state+" on "+s.node)
		same = same && s.state == r.seen[0].state
	}
	if same && len(r.seen) > 0 {
		return r.seen[0].state
	}
	return strings.Join(words, ", ")
}

// painted is the state for a terminal.
func (r *topRow) painted(ink paint.Ink) string {
	switch {
	case r.children == nil:
		return state(ink, r.State)
	case r.up == 0:
		return ink.Red(r.State)
	case r.up < len(r.children):
		return ink.Yellow(r.State)
	}
	return ink.Green(r.State)
}

// topOrders are the orders in which backends can stand.
var topOrders = []string{"name", "requests", "errors", "p99"}

func sortRows(rows []*topRow, by string) []*topRow {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b *topRow) int {
		n := 0
		switch by {
		case "requests":
			n = cmp.Compare(b.Live.Requests, a.Live.Requests)
		case "errors":
			n = cmp.Compare(b.Live.Errors, a.Live.Errors)
		case "p99":
			n = cmp.Compare(b.Live.P99, a.Live.P99)
		}
		return cmp.Or(n, strings.Compare(a.Name, b.Name))
	})
	return rows
}

// perSecond is a rate as a person reads it.
func perSecond(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.1f", v)
	case v < 10_000:
		return fmt.Sprintf("%.0f", v)
	case v < 1e6:
		return fmt.Sprintf("%.1fk", v/1e3)
	}
	return fmt.Sprintf("%.1fM", v/1e6)
}

// errorRate is a rate of what should not be.
func errorRate(ink paint.Ink, v float64) string {
	if v == 0 {
		return perSecond(v)
	}
	return ink.Red(perSecond(v))
}

// refusedRate is a rate of what limits have refused, as they should; why there is so much is worth a look.
func refusedRate(ink paint.Ink, v float64) string {
	if v == 0 {
		return perSecond(v)
	}
	return ink.Yellow(perSecond(v))
}

func bytesPerSecond(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if v < 1024 {
			return fmt.Sprintf("%.0f %s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.1f GiB", v)
}

// briefly rounds a latency to three digits or so.
func briefly(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
