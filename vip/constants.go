package vip

import "time"

// Specification constants.
const (
	// probeNum is PROBE_NUM, RFC 5227, 1.1.
	probeNum = 3
	// defendInterval is DEFEND_INTERVAL, RFC 5227, 1.1: at most one defence of an
	// address in this time (2.4), or two stubborn owners flood the segment.
	defendInterval = 10 * time.Second
)

// Implementation constants.
const (
	// probeInterval is 100 ms where RFC 5227 has PROBE_MIN 1 s: its second is for
	// a host that boots beside a hundred others after a power cut; here a service
	// waits for the answer, which a LAN gives in under a millisecond.
	probeInterval = 100 * time.Millisecond

	// sendTimeout bounds one frame's wait for room in the socket's send buffer.
	sendTimeout = 100 * time.Millisecond

	// renewals is how often a lease is renewed within its length, at least: three
	// may fail before the address is gone.
	renewals = 4

	// mutedRenewals is renewals where the kernel is mute: every 10 s of 60.
	mutedRenewals = 6

	// gateRetry is the wait after the gate refused an announcement. Whoever opens the
	// gate calls Announce if that is soon enough for nobody.
	gateRetry = 500 * time.Millisecond

	// healDelay is the wait between a question that the gate refused and the announcement
	// that makes up for it, healInterval the least time between two of those.
	healDelay    = 50 * time.Millisecond
	healInterval = time.Second

	// claimsQueue is how many frames that claim our addresses wait for the one goroutine
	// that judges them; more are counted as missed.
	claimsQueue = 64

	// lookInterval is the longest time between two readings of the interface,
	// which also renew the lease: carrier events come up to 0.6 s late when a link
	// flaps (measured), so the flag is polled as well.
	lookInterval = 500 * time.Millisecond

	// readErrorPause is the wait after a read from the wire failed.
	readErrorPause = 10 * time.Millisecond

	// netlinkTimeout bounds one request. The kernel answers in 50 µs, unless
	// something else holds its lock (rtnl), which takes tens of milliseconds when
	// a host with many interfaces reconfigures them.
	netlinkTimeout = time.Second

	// restoreInterval is the least time between two restorations of a deleted
	// address, so that a quarrel with another program costs little.
	restoreInterval = 10 * time.Millisecond

	// watchQueue is the number of link events between the socket and the Claimer;
	// what waits beyond it waits in the socket's own buffer.
	watchQueue = 64
)
