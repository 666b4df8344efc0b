package keeper

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// progress watches the proxy's loops. Each of them counts up a word of memory that both
// processes share, at least every 100 ms, idle or not: so a loop that hangs, or a proxy
// that is frozen, is told from one that has nothing to do, without asking it anything.
type progress struct {
	file   *os.File // the memory itself, passed to each new proxy
	memory []byte
	words  []uint64 // the same

	last    []uint64 // what each loop's word was when it last moved
	movedAt []time.Time
}

func newProgress(loops int) (*progress, error) {
	fd, err := unix.MemfdCreate("tandem-progress", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("shared memory for the proxy's progress: %w", err)
	}
	f := os.NewFile(uintptr(fd), "progress")
	if err := f.Truncate(int64(8 * loops)); err != nil {
		f.Close()
		return nil, fmt.Errorf("shared memory for the proxy's progress: %w", err)
	}
	return mapProgress(f, loops)
}

// mapProgress makes a progress of the memory that a proxy has. It takes f over.
func mapProgress(f *os.File, loops int) (*progress, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, 8*loops, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("shared memory for the proxy's progress: %w", err)
	}
	return &progress{
		file:    f,
		memory:  mem,
		words:   unsafe.Slice((*uint64)(unsafe.Pointer(&mem[0])), loops),
		last:    make([]uint64, loops),
		movedAt: make([]time.Time, loops),
	}, nil
}

func (p *progress) close() error {
	p.words = nil
	return errors.Join(unix.Munmap(p.memory), p.file.Close())
}

// restart begins anew with a proxy that is ready now.
func (p *progress) restart(now time.Time) {
	for i := range p.words {
		p.last[i] = atomic.LoadUint64(&p.words[i])
		p.movedAt[i] = now
	}
}

// stuckProxy says when a proxy that stands still is to be replaced (E3): the VIP has had the
// time to go elsewhere, and whoever is left with this proxy is better off without it.
type stuckProxy struct {
	since time.Time // zero: it goes on
	looks int
}

// stuckLooks is how often a proxy must be seen to stand still. After a pause of the whole node
// its proxy has had no more time to move than the keeper to look.
const stuckLooks = 10

// hopeless takes in what was seen now, and reports, once, that the proxy has not moved in
// another timeout since it was first seen to stand still.
func (s *stuckProxy) hopeless(now time.Time, stuck bool, timeout time.Duration) bool {
	switch {
	case !stuck:
		*s = stuckProxy{}
		return false
	case s.since.IsZero():
		s.since = now
	}
	s.looks++
	if s.looks < stuckLooks || now.Sub(s.since) < timeout {
		return false
	}
	*s = stuckProxy{}
	return true
}

// restless says how long a loop may stand still before this node does not serve (E3): longer, for a
// while, where loops stood still and then went on. Two balancers that both have too little of the
// processors would else hand the VIP to each other every second or two, and neither would be better
// (seen under a CPU quota, on a machine with a load of 100: 32 claims in ten minutes).
type restless struct {
	doublings int
	until     time.Time // from when there is one less
	still     bool      // a loop stands still now
}

const (
	maxDoublings = 3
	calmAfter    = 10 * time.Minute
)

// limit returns timeout, or what it has grown to.
func (r *restless) limit(now time.Time, timeout time.Duration) time.Duration {
	for r.doublings > 0 && !now.Before(r.until) {
		r.doublings--
		r.until = r.until.Add(calmAfter)
	}
	return timeout << r.doublings
}

// saw takes in whether a loop stands still. One that goes on was slow, not broken.
func (r *restless) saw(now time.Time, still bool) {
	if r.still && !still {
		r.doublings = min(r.doublings+1, maxDoublings)
		r.until = now.Add(calmAfter)
	}
	r.still = still
}

// stuck returns the loop that has stood still for longer than timeout, and for how long.
func (p *progress) stuck(now time.Time, timeout time.Duration) (loop int, since time.Duration, is bool) {
	for i := range p.words {
		if w := atomic.LoadUint64(&p.words[i]); w != p.last[i] {
			p.last[i], p.movedAt[i] = w, now
			continue
		}
		if still := now.Sub(p.movedAt[i]); still > timeout {
			return i, still, true
		}
	}
	return 0, 0, false
}
