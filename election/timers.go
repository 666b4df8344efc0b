package election

import "time"

// Protocol constants: changing one changes the protocol.
const (
	// missedAdverts is how many adverts in a row must be missing before an active is given up. VRRP says 3
	// (RFC 9568, 6.1); one more costs 20 ms and keeps a single lost datagram during a late one harmless.
	missedAdverts = 4

	// minSkew keeps two claims further apart than a loaded machine wakes up late, whatever the interval.
	minSkew = 10 * time.Millisecond

	// defendInterval is DEFEND_INTERVAL of RFC 5227, 1.1: announcements in defence come no faster.
	defendInterval = 10 * time.Second

	// A yield is said 1 + yieldRepeats times, yieldSpacing apart: within minSkew, so that the best candidate
	// hears of it before the second one claims, though two of the datagrams be lost. (Said once, the wrong
	// node was active after every second yield among three, at 30 % loss.)
	yieldRepeats = 2
	yieldSpacing = 2 * time.Millisecond

	// ownJitter is how late a busy machine wakes up. A node that has been so late of late gives the others
	// the same allowance (E13); what is longer is a sleep.
	ownJitter = 100 * time.Millisecond

	// newPatience is how long the silence of an active without a history is borne at least (E13). It is the
	// longest that a node is late that is only busy; what is longer is a pause.
	newPatience = time.Second

	// maxEpoch bounds epochs, so that one forged advert in a cluster without keys cannot make them wrap.
	maxEpoch = 1 << 62
)

// activeDown returns the active-down interval without skew: how long the silence of a node that advertises
// each interval is no sign of its loss (E4).
func activeDown(interval time.Duration) time.Duration { return missedAdverts * interval }

// PauseAfter returns from which standstill on a node with this advert interval must be told of it (Paused).
// Its last advert was sent at most one interval before, and nobody claims until four have passed.
func PauseAfter(interval time.Duration) time.Duration { return (missedAdverts - 1) * interval }

// skew returns how much later than the best candidate the rank-th one claims (E4); 0 is the best.
func skew(rank int, interval time.Duration) time.Duration {
	return time.Duration(rank) * max(interval/2, minSkew)
}

// patience is activeDown stretched for a sender that says that it has been late (E13): a node under load is
// given the time that it needed of late, within bounds.
func patience(interval, late time.Duration) time.Duration {
	longest := longestJitter(interval)
	return max(activeDown(interval), min(interval+3*min(late, longest), longest))
}

// longestJitter returns the longest silence that counts as jitter; a longer one is a pause (E13).
func longestJitter(interval time.Duration) time.Duration { return max(time.Second, 10*interval) }

// questionsAfter returns after what part of a silence the questions begin: one and a half of four intervals,
// which is one advert missed (E4).
func questionsAfter(patience time.Duration) time.Duration { return patience * 3 / 8 }

// overslept returns from which delay on a node must take it that it slept itself, and that what it has not
// heard meanwhile proves nothing. It is what a busy machine does not exceed by itself.
func overslept(interval time.Duration) time.Duration {
	return min(max(interval, 10*time.Millisecond), 100*time.Millisecond)
}

// earliest returns the earliest of the times that are set, or the zero time.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
