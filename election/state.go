package election

import "fmt"

// State is where one VIP group of this node stands.
//
//	         started              claimed
//	Init ──────────────► Backup ───────────► Active
//	  ▲                  ▲    │                │
//	  │        released, │    │ withdrawn      │ yields, has lost a conflict,
//	  │      tried again │    ▼                ▼ shuts down
//	  │                  ├── Draining ◄────────┘
//	  │                  │    │
//	  │ ended            │    │ release failed
//	  │ (from all        │    ▼
//	  │ but Active)      └── Fault ◄── foreign owner, probe or claim failed (from Backup)
//	  │                       │
//	  └───────────────────────┘
//
// A Fault that may still have the VIP goes through Draining to its end. Only isolation leads from Active
// straight to Fault: the address stays, fenced.
//
// Draining has two forms. A Release is under way; or, after a planned handover, old connections go on here
// while another node is active, and this one stands by like a backup: it goes back to Active when that is lost
// (handover.go).
//
// Only the become… methods of Machine assign it, each returns a Changed action, and an impossible
// transition panics: it would be a bug of this package, never of its input.
type State uint8

// The values go over the wire; they never change their meaning.
const (
	Init     State = iota // takes no part: not yet started, or ended by Shutdown
	Backup                // ready to claim
	Active                // holds the VIP
	Draining              // gives the VIP up: a Release is under way, or old connections still end here
	Fault                 // must not claim: the reason says why; tried again after Config.RetryInterval
	numStates
)

var stateNames = [numStates]string{"init", "backup", "active", "draining", "fault"}

// String returns the state's word as it stands in logs, metrics and status.
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Why is the kind of a Reason. Its words are stable: metrics use them as labels.
type Why uint8

// Every transition has one of these.
const (
	_                Why = iota // a transition without a reason does not exist
	WhyStarted                  // Init → Backup: the machine was started
	WhyNoActive                 // Backup → Active: nobody has been active since this node became backup
	WhyActiveSilent             // Backup → Active: the active's adverts stopped for the active-down interval
	WhyYielded                  // Backup → Active: the active asked to be relieved, or came back not holding the VIP
	WhyConflictLost             // → Draining, Backup: another active has the higher (epoch, rank)
	WhyWithdrawn                // → Draining, Backup: a better claim, or an active, was heard while this node claimed
	WhyNotServing               // → Draining, Backup: this node cannot serve, and a fit peer can or it only claimed
	WhyPreempted                // → Draining, Backup: Config.Preempt, and a clearly better peer was heard for Config.HoldDown
	WhyForeignOwner             // → Fault: a host that is no balancer answers for the VIP; Detail is its MAC
	WhyClaimFailed              // → Fault: Claim failed or was not answered in time; Detail says how
	WhyProbeFailed              // → Fault: Probe failed or was not answered in time; Detail says how
	WhyReleaseFailed            // → Fault: Release failed or was not answered in time; Detail says how
	WhyRetry                    // Fault → Backup: Config.RetryInterval has passed
	WhyShutdown                 // → Draining, Init: asked to end
	WhyPaused                   // → Draining, Backup: this node stood still while it claimed; Detail says for how long
	WhyDeaf                     // Backup → Fault: nothing shows that this node hears anybody, so silence proves nothing
	WhyIsolated                 // Backup, Active → Fault: nobody is heard on the VIP's segment any more
	WhyNotUseful                // Active → Draining: it answers nobody on the VIP's segment, and a peer there hears more
	WhyHandover                 // → Draining: asked to hand over; → Active: it was handed over by Node
	WhyResumed                  // Draining → Active: Node did not take over
	WhyFitter                   // → Draining, Backup: a peer that could serve clearly better was heard for Config.HoldDown
	numWhys
)

var whyNames = [numWhys]string{
	"none", "started", "no-active", "active-silent", "yielded", "conflict-lost", "withdrawn", "not-serving",
	"preempted", "foreign-owner", "claim-failed", "probe-failed", "release-failed", "retry", "shutdown",
	"paused", "deaf", "isolated", "not-useful", "handover", "resumed", "fitter",
}

// String returns the reason's word.
func (w Why) String() string {
	if w < numWhys {
		return whyNames[w]
	}
	return fmt.Sprintf("why(%d)", uint8(w))
}

// Reason says why a transition happened. The zero Reason belongs to a machine that has not been started.
type Reason struct {
	Why    Why
	Node   string // the peer concerned, if any
	Detail string // what the shell said, or a foreign owner's MAC, if any
}

// String returns the reason on one line, for logs and status: "foreign-owner (02:00:00:00:00:07)".
func (r Reason) String() string {
	s := r.Why.String()
	if r.Node != "" {
		s += " " + r.Node
	}
	if r.Detail != "" {
		s += " (" + r.Detail + ")"
	}
	return s
}
