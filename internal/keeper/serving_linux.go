package keeper

import (
	"fmt"
	"sync/atomic"
	"time"
)

// loopLimit is how old the loop's stamp may be, and a claimer's last sign of life. DESIGN's rule E3 says half the active-down
// interval; at an interval of 5 ms that would be 10 ms, less than a busy machine keeps a
// goroutine waiting, and a loop that hangs is rare: so it is never less than this. (A
// machine with a load of 12 on 2 cores was seen to keep one waiting for more than 250 ms.)
const loopLimit = time.Second

// servingState answers one question at any moment, from any thread: may this node still say
// what its loop said last (E3)? The sender asks immediately before each advert. Whether the
// proxy serves is not asked here: a loop that comes round knows it, and lets go of the VIP
// BEFORE it says so.
type servingState struct {
	start    time.Time     // stamps are monotonic durations since then
	limit    time.Duration // of the loop's stamp
	stamp    atomic.Int64  // when the loop last came round
	leaseEnd atomic.Int64  // when the first lease ends; 0: nothing is held
	// beats asks for and returns the last sign of life of what answers for each group's VIPs;
	// zero before the first. Set before anybody asks; they may be called from any thread.
	beats []func() time.Time
}

func newServingState(interval time.Duration) *servingState {
	return &servingState{start: time.Now(), limit: max(2*interval, loopLimit)}
}

// came is the loop's sign of life.
func (s *servingState) came(now time.Time) { s.stamp.Store(int64(now.Sub(s.start))) }

// setLease says until when the kernel holds the VIPs without another renewal; the zero
// time that none is held.
func (s *servingState) setLease(end time.Time) {
	if end.IsZero() {
		s.leaseEnd.Store(0)
		return
	}
	s.leaseEnd.Store(int64(end.Sub(s.start)))
}

// check returns why this node does not serve at now, or "".
func (s *servingState) check(now time.Time) string {
	at := now.Sub(s.start)
	if age := at - time.Duration(s.stamp.Load()); age > s.limit {
		return fmt.Sprintf("the keeper's loop has not come round for %v", age.Round(time.Millisecond))
	}
	if end := time.Duration(s.leaseEnd.Load()); end != 0 && at > end {
		return "the kernel did not renew the VIP's lease"
	}
	return s.answering(now)
}

// answering returns why nobody answers ARP and NDP for the VIPs at now, or "". Each call asks for
// the sign of life that the next one judges.
func (s *servingState) answering(now time.Time) string {
	reason := ""
	for _, beat := range s.beats {
		if at := beat(); !at.IsZero() && now.Sub(at) > s.limit {
			reason = "what answers for the VIP on the wire stands still"
		}
	}
	return reason
}

// serving is check for the sender.
func (s *servingState) serving(now time.Time) bool { return s.check(now) == "" }
