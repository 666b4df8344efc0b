package lbcore

import "time"

const (
	// maxCheckTurns is how many checks may be under way that have just begun. Checks are goroutines, and a loop that
	// comes back from the kernel stands in line with all of them for one of Go's processors: of 5,000 checks a
	// second more and more were under way, and a request took 0.7 s.
	maxCheckTurns = 32
	// longTurn is after how long a check waits for its backend rather than for this machine: it goes on, but
	// others may begin.
	longTurn = 50 * time.Millisecond
)

// checkTurns bounds how many of a proxy's checks compute at once: 32 begin, and then as many as end or are 50 ms old,
// so that of backends that do not answer at least 640 are asked in a second. To send is to take a turn; those who
// wait take it in the order in which they came.
type checkTurns chan struct{}

func newCheckTurns() checkTurns { return make(checkTurns, maxCheckTurns) }

// during calls f with a turn that was taken, and gives the turn back when f has ended or has taken long.
func (t checkTurns) during(f func()) {
	long := time.AfterFunc(longTurn, t.giveBack)
	f()
	if long.Stop() {
		t.giveBack()
	}
}

func (t checkTurns) giveBack() { <-t }
