package client

import "time"

// Kind says why a request failed. The zero Kind is a good answer.
type Kind string

// The ways a request can fail.
const (
	Refused     Kind = "refused"     // the connection was refused (RST to the SYN)
	Reset       Kind = "reset"       // the connection was reset after it stood
	Timeout     Kind = "timeout"     // no complete answer within Config.Timeout of Start
	Unreachable Kind = "unreachable" // no route, or nobody answered ARP
	Status      Kind = "status"      // a complete answer that is not 2xx
	Truncated   Kind = "truncated"   // the connection closed before the answer was complete
	Malformed   Kind = "malformed"   // not an HTTP answer, or a larger one than AnswerMax
	Overrun     Kind = "overrun"     // never sent: MaxOpen requests were open already
	Local       Kind = "local"       // the client itself could not: no port, no descriptor

	// Skipped was never sent either, but for the machine's sake: the client's thread
	// came too late for it. It says nothing about the site, and [Count] keeps it apart.
	Skipped Kind = "skipped"
)

// Request is what became of one GET. Times are monotonic, counted from the
// zero time of the [Log].
type Request struct {
	Due   time.Duration // when the schedule wanted it
	Start time.Duration // when its connection was begun; Start − Due is the client's own lateness
	End   time.Duration // when its answer was complete, or it was given up
	Code  int           // HTTP status, 0 when none came
	From  string        // who answered, from Config.NameHeader; empty when unknown
	Fail  Kind          // empty when the answer was good
}

// Good reports whether the whole answer came and its status was 2xx.
func (r Request) Good() bool { return r.Fail == "" }

// Window is a stretch of the log's time, From included, To excluded.
type Window struct{ From, To time.Duration }

// Has reports whether t lies in w.
func (w Window) Has(t time.Duration) bool { return t >= w.From && t < w.To }
