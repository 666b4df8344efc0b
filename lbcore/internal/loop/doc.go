// Package loop is an event loop on epoll for one locked OS thread: descriptors,
// timers, deferred work and messages from other goroutines. It knows nothing of
// HTTP.
//
// # What it promises
//
//   - A [Handler] gets edge-triggered events of its own descriptor only: each
//     event carries a generation, so one that was still queued for a closed
//     predecessor of a reused descriptor is dropped.
//   - Nothing blocks but the one epoll_wait of an idle loop, for at most
//     [MaxSleep]; the progress word is incremented before each.
//   - Timers fire late by at most MaxSleep, never early, and cost no system call. What is
//     ready when one is due is handled first, so that a loop which stood still calls
//     nobody late who was in time.
//   - No event, timer or deferred call allocates.
//
// # Rules
//
// Every method but [Loop.Post] is called from handlers, timers and posted
// functions, that is on the loop's own thread. Run owns that thread and every
// descriptor registered; it closes those left when it ends. System calls that
// cannot sleep are raw, so that the Go scheduler need not be told.
//
// The timer wheel is portable; the rest needs Linux.
package loop
