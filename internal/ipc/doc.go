// Package ipc is what the processes of a balancer say to each other: typed
// messages, and open descriptors, over a pair of connected unix sockets.
//
//	keeper ── orders, listening sockets ──► proxy     keeper ◄── readiness, fitness ── proxy
//	keeper ── orders, its own state ─────► control    keeper ◄── known balancers ──── control
//	control ── each pool's whole list ───► proxy      control ◄── snapshots ───────── proxy
//	keeper ── what may be run ───────────► runner
//	control ── when, and with which input ► runner    control ◄── what became of it ─ runner
//
// The keeper makes every pair and hands the ends out; control and proxy never find each
// other on their own. Only a proxy whose keeper has died is found, by the next one, at the
// meeting socket beside the admin socket: it attends that in the end, and nobody else does
// ([Attend], [Meet], [Orphan]). Both sides ask the kernel whose process the other is. So
// what is said to a proxy is understood by those of other versions; see the kinds.
//
// A message is a frame: one line of header (kind, length, number of
// descriptors) and a JSON body of at most [MaxBody] bytes. Nothing in a message is a
// delta: each says the whole of what it is about, so that a process that starts late or
// again needs only the newest of each kind.
//
// A dead process is seen as the end of its socket: [Conn.Run] returns [io.EOF]. That
// takes about a millisecond, needs no signal, and cannot be missed.
//
// The package imports nothing of ours. Each process has one file, apply.go, that turns
// these values into those of the packages it runs.
package ipc
