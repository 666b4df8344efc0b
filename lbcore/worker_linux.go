package lbcore

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/loop"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// Sizes of memory. One read buffer per loop; a connection owns buffers only
// while something waits in them.
const (
	readSize    = 64 << 10
	firstRead   = 16 << 10 // of an answer: what comes with its head is copied, the rest may be spliced
	smallBuffer = 4 << 10
	bigBuffer   = readSize + 8<<10 // what was read, grown by our own fields and chunk lines
	keptBuffers = 256              // of each size, per loop
	keptStructs = 1024             // exchanges, per loop
)

// worker is one loop with all that belongs to it. Everything below runs on its
// thread.
type worker struct {
	*loop.Loop
	slot     int
	ahead    time.Duration // of what the loop's Now counts from, for clock
	log      *slog.Logger
	maxConns int

	conns     int
	full      bool // accepting is paused: there is no room
	stopped   bool // accepting is paused: it was asked for
	listeners []*listener
	pause     loop.Timer

	draining                 *atomic.Bool // the proxy's
	total, inFlight, tunnels atomic.Int64 // client connections: see ConnCounts

	rbuf, wbuf []byte
	small, big [][]byte
	exchanges  []*exchange
	pipes      []*loop.Pipe // all there are
	freePipes  []*loop.Pipe // those nobody uses
	scratch    []*Backend

	queues      map[*Pool]*queue // of requests that wait for room
	called      atomic.Bool      // serveQueues is posted
	serveQueues func()           // serveWaiting, made once

	seal          []byte // what TLS has sealed and is to be sent
	handshakes    int    // under way with clients
	maxHandshakes int
	greeting      []*client      // those that wait for theirs
	shaking       sync.WaitGroup // the goroutines of handshakes, with backends too
	underway      map[*handshake]struct{}
	settled       bool // no handshake begins any more
	sessions      map[*h2session]struct{}

	sink   *logSink // the proxy's
	access logState
	host   string // this machine's name

	routing route.Scratch
	target  []byte // that a rule makes of the request at hand; empty: the client's

	date    []byte
	dateSec int64
}

func newWorker(l *loop.Loop, slot int, cfg Config, draining *atomic.Bool) *worker {
	w := &worker{
		Loop:          l,
		slot:          slot,
		log:           cfg.Log.With("loop", slot),
		maxConns:      cfg.MaxConns,
		draining:      draining,
		rbuf:          make([]byte, readSize),
		wbuf:          make([]byte, 0, bigBuffer),
		scratch:       make([]*Backend, 0, 64),
		underway:      make(map[*handshake]struct{}),
		sessions:      make(map[*h2session]struct{}),
		maxHandshakes: maxHandshakes,
		queues:        make(map[*Pool]*queue),
	}
	w.serveQueues = w.serveWaiting
	return w
}

// clock is the time since a moment that is the same for all loops.
func (w *worker) clock() time.Duration { return w.Now() + w.ahead }

// get returns an empty buffer for at least n bytes, n ≤ bigBuffer.
func (w *worker) get(n int) []byte {
	list, size := &w.big, bigBuffer
	if n <= smallBuffer {
		list, size = &w.small, smallBuffer
	}
	if k := len(*list); k > 0 {
		b := (*list)[k-1]
		*list = (*list)[:k-1]
		return b
	}
	return make([]byte, 0, size)
}

// put takes a buffer back; nil is fine.
func (w *worker) put(b []byte) {
	switch c := cap(b); {
	case c == smallBuffer && len(w.small) < keptBuffers:
		w.small = append(w.small, b[:0])
	case c == bigBuffer && len(w.big) < keptBuffers/4:
		w.big = append(w.big, b[:0])
	}
}

// grow moves the content of b to a buffer with room for n more bytes.
func (w *worker) grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	c := append(w.get(len(b)+n), b...)
	w.put(b)
	return c
}

// growOut gives what waits on an HTTP/2 connection room for as much of n bytes as a stream may write now: grown piece by
// piece, large bodies would be garbage several times over.
func (w *worker) growOut(out []byte, n int) []byte {
	return w.grow(out, min(n, max(0, h2Out-len(out)))+smallBuffer/4)
}

// newExchange returns an exchange for c.
func (w *worker) newExchange(c *client) *exchange {
	var x *exchange
	if k := len(w.exchanges); k > 0 {
		x = w.exchanges[k-1]
		w.exchanges = w.exchanges[:k-1]
	} else {
		x = new(exchange)
	}
	x.w, x.c = w, c
	x.rec.first = w.Now()
	w.inFlight.Add(1)
	return x
}

// freeExchange takes back an exchange that nothing points to any more.
func (w *worker) freeExchange(x *exchange) {
	w.put(x.in)
	x.in = nil
	x.reset()
	x.req.Reset()
	x.c = nil
	w.inFlight.Add(-1)
	if len(w.exchanges) < keptStructs {
		w.exchanges = append(w.exchanges, x)
	}
}

// now returns the Date field's value, made once a second.
func (w *worker) httpDate() []byte {
	if sec := int64(w.Now() / time.Second); sec != w.dateSec || w.date == nil {
		w.dateSec = sec
		w.date = time.Now().UTC().AppendFormat(w.date[:0], "Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return w.date
}
