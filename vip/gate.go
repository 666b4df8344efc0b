package vip

import (
	"sync/atomic"
	"time"
)

// Gate says, immediately before each write to the wire, whether this node may still
// speak for its addresses. Its Allow is meant for [Config.Gate].
//
// It is closed until the first Stamp. The keeper stamps it each time its loop has come
// round AND has read what the other nodes sent (adverts are drained before the gate is
// opened again): so a process that was frozen, or a machine that was suspended, answers
// and announces nothing on waking before its loop knows what happened meanwhile.
//
// All methods may be called from any goroutine and never block.
type Gate struct {
	limit, maxAge time.Duration
	clock         func() time.Duration // CLOCK_BOOTTIME: it runs on while the machine sleeps

	stamp atomic.Int64 // clock's reading at the last Stamp; 0 before the first
	shut  atomic.Bool

	refused [refusals]atomic.Uint64
}

// GateRefusals counts the writes a Gate refused, by reason.
type GateRefusals struct {
	Stale uint64 // the stamp was older than the limit
	Shut  uint64 // Shut was called
	Late  uint64 // what was to be answered had waited too long
}

// refusal is why a write is refused.
type refusal int

const (
	allowed refusal = iota
	refusedStale
	refusedShut
	refusedLate
	refusals
)

// NewGate returns a closed Gate. limit is the greatest age of the stamp (rule E3:
// half the active-down interval, but more than a busy machine keeps a goroutine
// waiting); maxAge that of a frame that is to be answered, measured from its arrival in
// the kernel (rule E14: one advert interval). Each is at least a millisecond.
func NewGate(limit, maxAge time.Duration) *Gate {
	return &Gate{limit: max(limit, time.Millisecond), maxAge: max(maxAge, time.Millisecond), clock: bootClock}
}

// Stamp says that the loop is alive and knows what the others say.
func (g *Gate) Stamp() { g.stamp.Store(int64(max(1, g.clock()))) }

// Shut closes the gate until Open, whatever the stamp.
func (g *Gate) Shut() { g.shut.Store(true) }

// Open undoes Shut. The stamp must be fresh all the same.
func (g *Gate) Open() { g.shut.Store(false) }

// Allow reports whether a frame may be sent now, and counts it if not. triggered is when
// the kernel received the frame that caused the write, zero when a schedule did.
func (g *Gate) Allow(triggered time.Time) bool {
	stamp := time.Duration(g.stamp.Load())
	var age time.Duration
	if !triggered.IsZero() {
		age = time.Since(triggered)
	}
	why := judge(g.shut.Load(), stamp != 0, g.clock()-stamp, g.limit, age, g.maxAge)
	if why != allowed {
		g.refused[why].Add(1)
	}
	return why == allowed
}

// judge is Allow without clocks. PURE.
func judge(shut, stamped bool, stampAge, limit, frameAge, maxAge time.Duration) refusal {
	switch {
	case shut:
		return refusedShut
	case !stamped || stampAge > limit:
		return refusedStale
	case frameAge > maxAge:
		return refusedLate
	}
	return allowed
}

// Refused returns how many writes were refused so far.
func (g *Gate) Refused() GateRefusals {
	return GateRefusals{
		Stale: g.refused[refusedStale].Load(),
		Shut:  g.refused[refusedShut].Load(),
		Late:  g.refused[refusedLate].Load(),
	}
}
