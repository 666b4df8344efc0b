// Package limit counts what each source does: its requests, by a token bucket, and its open
// connections. It is pure but for its locks: the caller tells the time, and any goroutine may
// call. In steady state nothing is allocated.
//
// All loops of a process share one [Buckets] and one [Conns], so that a limit holds for the
// process. Each is cut into parts with a lock of their own, which is held for a look at a few
// entries; sources are spread over them by a hash whose seed nobody outside knows.
package limit
