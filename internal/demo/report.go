package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// Report is the demo's result, and the form of --json.
type Report struct {
	Balancers int     `json:"balancers"`
	Backends  int     `json:"backends"`
	Faults    []Fault `json:"faults"`
	OK        bool    `json:"ok"`
}

// Fault is what one fault did. It was observed by the client and counted on
// the wire.
type Fault struct {
	Name         string `json:"fault"`         // one of Faults
	OutageMS     int64  `json:"outage_ms"`     // longest gap between two good answers, rounded up
	Requests     int    `json:"requests"`      // ended in the window
	Failed       int    `json:"failed"`        // of these
	ActiveBefore string `json:"active_before"` // the one owner just before; empty when there was not one
	ActiveAfter  string `json:"active_after"`  // the one owner at the window's end; empty likewise
	MaxOwners    int    `json:"max_owners"`    // of the VIP at once

	waited string       // what did not come within its deadline; empty when all did
	tally  client.Tally // the requests in detail
}

// The names of the faults.
const (
	PowerLoss     = "power-loss"
	PowerBack     = "power-back"
	AppStop       = "app-stop"
	AppStart      = "app-start"
	CleanShutdown = "clean-shutdown"
)

// Faults are all of them, in the order in which they are injected.
var Faults = []string{PowerLoss, PowerBack, AppStop, AppStart, CleanShutdown}

// What a fault may cost.
const (
	requestsMin = 200
	outageMax   = 1000 // ms
	// A backup gives an active whose adverts were late a second more, and on a busy machine what both
	// then do takes long, too.
	outageBusyMax = 3000 // ms
)

// busy tells whether the machine could not keep up with the client: of sent requests more than
// 5 % were behind their time.
func (r Report) busy() (behind, sent int, is bool) {
	for _, f := range r.Faults {
		sent += f.Requests
		behind += f.tally.Late + f.tally.Skipped
	}
	return behind, sent, behind*20 > sent
}

// costsNothing tells whether no request may fail on account of a fault. The
// connections that stand when the active loses power die with it. A shutdown hands
// them over where the kernel can forward, which the demo does not ask for. Both are
// counted and shown.
func costsNothing(fault string) bool {
	return fault == PowerBack || fault == AppStop || fault == AppStart
}

// Verdict says, one sentence each, what is not as promised. Empty means ok.
func (r Report) Verdict() []string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	allowed := int64(outageMax)
	if _, _, busy := r.busy(); busy {
		allowed = outageBusyMax
	}
	if len(r.Faults) != len(Faults) {
		say("%d of %d faults were injected", len(r.Faults), len(Faults))
	}
	for i, f := range r.Faults {
		if i < len(Faults) && f.Name != Faults[i] {
			say("%s came where %s belongs", f.Name, Faults[i])
		}
		if f.Requests < requestsMin {
			say("%s: %d requests are too few to tell, %d are needed", f.Name, f.Requests, requestsMin)
		}
		if f.MaxOwners != 1 {
			say("%s: the VIP had %d owners at once", f.Name, f.MaxOwners)
		}
		if !isBalancer(f.ActiveAfter) {
			say("%s: not exactly one balancer was active at the end", f.Name)
		}
		if f.OutageMS > allowed {
			say("%s: an outage of %d ms, %d are allowed", f.Name, f.OutageMS, allowed)
		}
		if f.Failed > 0 && costsNothing(f.Name) {
			say("%s: %d requests failed, none may", f.Name, f.Failed)
		}
		if f.waited != "" {
			say("%s: waited in vain for %s", f.Name, f.waited)
		}
	}
	return bad
}

func isBalancer(name string) bool {
	return slices.ContainsFunc(balancers, func(r role) bool { return r.name == name })
}

// writeJSON prints the one object, on one line.
func (r Report) writeJSON(w io.Writer) error {
	if r.Faults == nil {
		r.Faults = []Fault{} // [] and not null
	}
	return json.NewEncoder(w).Encode(r)
}

// millis rounds up: half a millisecond of outage is not none.
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
