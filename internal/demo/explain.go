package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// What is shown of each when something went wrong.
const (
	explainLines    = 20
	explainRequests = 5
)

// explain prints what a run that went wrong leaves to judge by: what the observers
// saw of each fault, and the last lines of every daemon.
func (r *runner) explain(w io.Writer) {
	for _, win := range r.windows {
		r.explainFault(w, win)
	}
	for _, m := range r.site.machines {
		state := "has ended"
		if m.running() {
			state = "is running"
		}
		fmt.Fprintf(w, "--- %s: tandem %s %s; the last lines it wrote:\n", m.name, m.args[0], state)
		for _, line := range m.log.last(explainLines) {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}

func (r *runner) explainFault(w io.Writer, win window) {
	s := r.site
	reqs := s.log.Requests()
	count := s.count(win)
	gap := client.Outage(reqs, client.Window{From: win.from, To: win.calm}, s.log.Settled())
	own := s.owners.Report(owners.Window{From: win.from, To: win.until})
	since := func(t time.Duration) string { return fmt.Sprintf("%+.1f ms", (t-win.from).Seconds()*1000) }
	fmt.Fprintf(w, "--- %s at %.3f s: calm at %s; longest gap %s to %s; slowest good answer %v; the client started %d late and skipped %d\n",
		win.name, win.from.Seconds(), since(win.calm), since(gap.From), since(gap.To), count.Slowest.Round(time.Millisecond), count.Late, count.Skipped)
	fmt.Fprintf(w, "    answers from %v; failures %v\n", count.From, count.Kinds)
	fmt.Fprintf(w, "    owners %v; two at once for %v; nobody answered for %v; requests that two answered: %d of %d\n",
		own.Hosts, own.Two, own.None.Round(time.Millisecond), own.Doubled, own.Probes)
	shown := 0
	for _, q := range reqs {
		if q.Good() || q.Fail == client.Skipped || !(client.Window{From: win.from, To: win.until}).Has(q.End) {
			continue
		}
		if shown++; shown > explainRequests {
			break
		}
		fmt.Fprintf(w, "    failed: due %s, begun %s, ended %s: %s, status %d, from %q\n",
			since(q.Due), since(q.Start), since(q.End), q.Fail, q.Code, q.From)
	}
}
