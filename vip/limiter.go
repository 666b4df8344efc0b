package vip

import (
	"net"
	"time"
)

// Bounds of the answers in one second. A host asks once a second for each address, so
// these are for floods: one mad host cannot take all of the answers, and all together
// cost this node a few percent of a core.
const (
	maxAnswers      = 5000
	maxAnswersOfOne = 1000
	askerSlots      = 256
)

// limiter bounds the answers, in all and of one asker. Askers share a few slots, so that
// a flood of invented senders costs no memory. Its zero value is ready. PURE.
type limiter struct {
	start time.Time // of the second that counts now
	total int
	of    [askerSlots]int
}

// allow reports whether the asker may be answered, and counts it.
func (l *limiter) allow(asker net.HardwareAddr, now time.Time) bool {
	if d := now.Sub(l.start); d >= time.Second || d < 0 {
		*l = limiter{start: now}
	}
	var slot byte
	for _, b := range asker {
		slot = slot*31 + b
	}
	if l.total >= maxAnswers || l.of[slot] >= maxAnswersOfOne {
		return false
	}
	l.total++
	l.of[slot]++
	return true
}
