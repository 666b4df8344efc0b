package lines

import "sync"

// overhead is what a line costs beside its text, in bytes.
const overhead = 96

// Ring keeps the newest lines. Its methods may be called by many goroutines.
type Ring struct {
	max int // bytes of text and overhead

	mu    sync.Mutex // protects the following
	lines []Line     // oldest first, from head on
	head  int
	size  int
	last  uint64 // Seq of the newest
}

// NewRing makes a ring that needs about max bytes of memory when it is full.
func NewRing(max int) *Ring { return &Ring{max: max} }

// Add keeps a line, and drops the oldest for which there is no room. A line for which there is none at all is not kept.
func (r *Ring) Add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	l.Seq = r.last
	r.lines = append(r.lines, l)
	r.size += overhead + len(l.Text)
	for r.size > r.max && r.head < len(r.lines) {
		r.size -= overhead + len(r.lines[r.head].Text)
		r.lines[r.head] = Line{}
		r.head++
	}
	if r.head > len(r.lines)/2 {
		r.lines = append(r.lines[:0], r.lines[r.head:]...)
		clear(r.lines[len(r.lines):cap(r.lines)])
		r.head = 0
	}
}

// Page is some of the lines that a Ring keeps.
type Page struct {
	Lines []Line // oldest first
	Lost  uint64 // lines before them that are not kept any more
	Next  uint64 // what to give to After for the next page
	More  bool   // it has lines already
}

// After returns lines newer than the one of number seq, of at most bytes of text and overhead, but one in any case. A
// process named "" stands for all.
func (r *Ring) After(seq uint64, process string, bytes int) Page {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.lines[r.head:]
	oldest := r.last - uint64(len(kept)) + 1
	page := Page{Next: r.last}
	if seq+1 < oldest {
		page.Lost = oldest - seq - 1
		seq = oldest - 1
	}
	if seq >= r.last {
		return page
	}
	size := 0
	for _, l := range kept[seq+1-oldest:] {
		if process != "" && l.Process != process {
			continue
		}
		size += overhead + len(l.Text)
		if size > bytes && len(page.Lines) > 0 {
			page.Next, page.More = page.Lines[len(page.Lines)-1].Seq, true
			break
		}
		page.Lines = append(page.Lines, l)
	}
	return page
}

// Before returns the number of the line before the n newest kept ones of a process ("" for all): what to give to After
// for those.
func (r *Ring) Before(n int, process string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.last
	for i := len(r.lines) - 1; i >= r.head && n > 0; i-- {
		before = r.lines[i].Seq - 1
		if process == "" || r.lines[i].Process == process {
			n--
		}
	}
	return before
}
