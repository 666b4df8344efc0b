package lbcore

import (
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/internal/accesslog"
	"github.com/tandem-lb/tandem/lbcore/internal/loop"
)

// notes are what the access log is told of an exchange. The zero value is of one that nothing
// is told of yet.
type notes struct {
	on      bool          // what the client asked for is in text
	first   time.Duration // when its first byte came
	asked   time.Duration // when the first attempt began; 0: never
	linked  time.Duration // when there was a connection to the backend; 0: never
	head    time.Duration // when the head of the answer had come; 0: never
	in, out uint64        // bytes
	status  int           // of the final answer; 0: none
	flags   [2]byte
	reason  string
	last    *Backend

	text []byte // method, host, target, user agent and referer, one behind the other
	ends [5]uint32
}

// close says how the exchange ends, unless that was said before.
func (r *notes) close(who, phase byte, reason string) {
	if r.flags[0] == 0 {
		r.flags, r.reason = [2]byte{who, phase}, reason
	}
}

// phase is the one that the exchange is in, for notes.close.
func (x *exchange) phase() byte {
	switch {
	case x.started:
		return 'D'
	case x.up == nil || x.up.connecting:
		return 'C'
	}
	return 'H'
}

// noteRequest remembers what the head in x.req says, if the log wants it.
func (x *exchange) noteRequest() {
	format := x.view.cfg.AccessLog.Format
	if format == LogNone || !x.w.sink.on.Load() {
		return
	}
	r := &x.rec
	r.on = true
	parts := [5][]byte{x.req.Method, x.req.Host, x.req.Target}
	if format == LogJSON {
		parts[3], parts[4] = x.req.Get("user-agent"), x.req.Get("referer")
	}
	n := 0
	for i := range parts {
		parts[i] = parts[i][:min(len(parts[i]), accesslog.MaxField)]
		n += len(parts[i])
	}
	r.text = x.w.get(n)
	for i, p := range parts {
		r.text = append(r.text, p...)
		r.ends[i] = uint32(len(r.text))
	}
}

// said returns the i-th part of the text.
func (r *notes) said(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.text[from:r.ends[i]]
}

// log writes the line of an exchange that has ended.
func (x *exchange) log() {
	r, w := &x.rec, x.w
	if x.view == nil || !r.on && r.status == 0 || !w.sink.on.Load() {
		return
	}
	cfg := &x.view.cfg.AccessLog
	if cfg.Format == LogNone || cfg.Sample > 1 && r.well() && w.skip(cfg.Sample) {
		return
	}
	e := accesslog.Entry{
		Frontend: x.c.f.name, TCP: x.raw, TLS: x.c.overTLS(), HTTP2: x.c.via.stream != nil, Minor: x.minor,
		Method: r.said(0), Host: r.said(1), Target: r.said(2), UserAgent: r.said(3), Referer: r.said(4),
		Status: r.status, In: r.in, Out: r.out, Flags: r.flags, Reason: r.reason,
		Request: since(r.first, x.begun), Queue: since(x.begun, r.asked), Connect: since(r.asked, r.linked), Response: since(r.linked, r.head),
		Total: w.Now() - r.first, Retries: x.attempts,
		Conns: w.total.Load(), OfFrontend: x.c.count().current.Load(), OfPool: w.inFlight.Load(),
	}
	if x.raw {
		e.Queue = since(r.first, r.asked)
	}
	e.Source = x.source
	e.Client = netip.AddrPortFrom(netip.AddrFrom16(x.c.peer).Unmap(), x.c.port)
	if r.asked != 0 {
		e.Pool = x.to.name
	}
	if r.last != nil {
		e.Backend, e.OfB = r.last.id, r.last.slots[w.slot].count.current.Load()
		e.Redispatched = x.attempts > 0 && r.last != x.tried[0]
	}
	if x.act != nil {
		e.Rule = x.act.Name
	}
	now := time.Now()
	e.Time = now.Add(-e.Total)
	w.writeLog(&e, cfg.Format, now)
}

// overTLS says that the client speaks TLS, below HTTP/2 perhaps.
func (c *client) overTLS() bool {
	if s := c.via.stream; s != nil {
		return s.h.c.via.tls != nil
	}
	return c.via.tls != nil
}

// well says that nothing is remarkable about it.
func (r *notes) well() bool { return r.status < 400 && (r.flags[0] == 0 || r.flags[0] == 'L') }

// since is how long a phase took, from the end of the one before.
func since(before, end time.Duration) time.Duration {
	if before == 0 || end == 0 {
		return accesslog.Never
	}
	return max(0, end-before)
}

// logState is a loop's own part of the access log.
type logState struct {
	buf     []byte // lines for the writer
	lines   uint64
	made    int // buffers
	sampled int
	timer   loop.Timer // until buf goes to the writer
	header  []byte     // of lines of LogHAProxy, for the second headed
	headed  int64
}

// skip counts what may be left out.
func (w *worker) skip(sample int) bool {
	l := &w.access
	l.sampled++
	if l.sampled >= sample {
		l.sampled = 0
		return false
	}
	return true
}

// writeLog adds a line, or counts it as lost.
func (w *worker) writeLog(e *accesslog.Entry, format LogFormat, now time.Time) {
	l := &w.access
	full := len(l.buf) >= logFull && !w.flushLog()
	if full || l.buf == nil && !w.logRoom() {
		w.sink.lost.Add(1)
		return
	}
	if format == LogHAProxy {
		if sec := now.Unix(); sec != l.headed {
			l.headed, l.header = sec, logHeader(l.header[:0], now, w.host)
		}
		l.buf = accesslog.AppendHAProxy(append(l.buf, l.header...), e)
	} else {
		l.buf = accesslog.AppendJSON(l.buf, e)
	}
	l.lines++
	if len(l.buf) >= logEnough {
		w.flushLog()
	} else if !l.timer.Active() {
		w.Wheel.Set(&l.timer, logFlusher{w}, w.Now()+logWithin)
	}
}

// logRoom gets a buffer. It reports whether there is one.
func (w *worker) logRoom() bool {
	l := &w.access
	select {
	case l.buf = <-w.sink.free:
	default:
		if l.made >= logBuffers {
			return false
		}
		l.made++
		l.buf = make([]byte, 0, logBuffer)
	}
	return true
}

// flushLog gives the writer what there is. It reports whether it has taken it.
func (w *worker) flushLog() bool {
	l := &w.access
	if len(l.buf) == 0 {
		return true
	}
	grown := cap(l.buf) != logBuffer // and is not given back
	select {
	case w.sink.full <- logBatch{l.buf, l.lines}:
	default:
		return false
	}
	if grown {
		l.made--
	}
	l.buf, l.lines = nil, 0
	w.Wheel.Stop(&l.timer)
	return true
}

// endLog gives the writer the last of it, when the loop has ended.
func (w *worker) endLog() {
	if w.access.buf != nil {
		select {
		case w.sink.full <- logBatch{w.access.buf, w.access.lines}:
		case <-time.After(logEndTime):
			w.sink.lost.Add(w.access.lines)
		}
	}
}

// logFlusher is the timer's owner.
type logFlusher struct{ w *worker }

// Expired implements loop.Expirer.
func (f logFlusher) Expired() {
	if !f.w.flushLog() {
		f.w.Wheel.Set(&f.w.access.timer, f, f.w.Now()+logWithin)
	}
}
