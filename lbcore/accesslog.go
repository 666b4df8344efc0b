package lbcore

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// LogFormat is how a line of the access log is written.
type LogFormat string

// The formats of the access log.
const (
	LogNone    LogFormat = ""        // nothing is (the default)
	LogJSON    LogFormat = "json"    // an object a line
	LogHAProxy LogFormat = "haproxy" // as HAProxy's option httplog, for TCP as its tcplog, behind a header of syslog's
)

// AccessLog is what a frontend writes into the log of [Proxy.SetAccessLog].
type AccessLog struct {
	Format LogFormat
	// Sample has one of so many lines written where all went well: a status below 400, or a
	// tunnel, that ended in order. All others always are. 0 and 1 mean every one; at most
	// MaxSample.
	Sample int
}

// MaxSample bounds AccessLog.Sample.
const MaxSample = 1_000_000

// Memory of the access log: per loop at most logBuffers of logBuffer bytes wait for the writer.
const (
	logBuffer  = 64 << 10
	logBuffers = 8
	logFull    = 56 << 10               // takes no more lines
	logEnough  = 32 << 10               // is given to the writer at once
	logWithin  = 200 * time.Millisecond // all is given to it within
	logEndTime = time.Second            // for what waits at the end
	logPause   = time.Minute            // between complaints of a log that cannot be written
)

// AccessLogCounters count lines since the proxy's start.
type AccessLogCounters struct {
	Lines uint64 // written
	Lost  uint64 // that found no room since the log is slow, or could not be written
}

// logSink writes what loops give it. A loop never waits for it.
type logSink struct {
	on          atomic.Bool
	lines, lost atomic.Uint64
	full        chan logBatch
	free        chan []byte
	ended       chan struct{}
	kick        chan struct{}
	complain    func(error)

	mu   sync.Mutex // protects what follows
	next *os.File   // to be taken into use; nil: none
	swap bool       // next counts
}

// logBatch is whole lines.
type logBatch struct {
	text  []byte
	lines uint64
}

func newLogSink(loops int, complain func(error)) *logSink {
	return &logSink{
		full: make(chan logBatch, loops*logBuffers), free: make(chan []byte, loops*logBuffers),
		ended: make(chan struct{}), kick: make(chan struct{}, 1), complain: complain,
	}
}

// SetAccessLog has the access log written to f from now on, and closes the file before. nil
// ends it. f may block: lines that find no room meanwhile are lost, and counted.
func (p *Proxy) SetAccessLog(f *os.File) {
	s := p.sink
	s.mu.Lock()
	if s.swap && s.next != nil { // which was never used
		s.next.Close()
	}
	s.next, s.swap = f, true
	s.mu.Unlock()
	s.on.Store(f != nil)
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// run writes until full is closed.
func (s *logSink) run() {
	defer close(s.ended)
	var file *os.File
	var complained time.Time
	defer func() { closeLog(s.take(file)) }()
	for {
		select {
		case <-s.kick:
			file = s.take(file)
		case b, ok := <-s.full:
			if !ok {
				return
			}
			file = s.take(file)
			if err := writeLog(file, b.text); err != nil {
				s.lost.Add(b.lines)
				if now := time.Now(); now.Sub(complained) > logPause {
					complained = now
					s.complain(err)
				}
			} else {
				s.lines.Add(b.lines)
			}
			s.giveBack(b.text)
		}
	}
}

// take returns the file to write to: a new one if there is one.
func (s *logSink) take(file *os.File) *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.swap {
		closeLog(file)
		file, s.next, s.swap = s.next, nil, false
	}
	return file
}

func closeLog(f *os.File) {
	if f != nil {
		f.Close()
	}
}

func writeLog(f *os.File, text []byte) error {
	if f == nil {
		return os.ErrClosed
	}
	_, err := f.Write(text)
	return err
}

func (s *logSink) giveBack(b []byte) {
	if cap(b) != logBuffer {
		return
	}
	select {
	case s.free <- b[:0]:
	default:
	}
}

// end has what waits written, within logEndTime.
func (s *logSink) end() {
	close(s.full)
	select {
	case <-s.ended:
	case <-time.After(logEndTime):
	}
}

func (c *AccessLog) check(bad func(string, ...any)) {
	if c.Format != LogNone && c.Format != LogJSON && c.Format != LogHAProxy {
		bad("access log in form %q: want %q or %q", c.Format, LogJSON, LogHAProxy)
	}
	if c.Sample == 0 {
		c.Sample = 1
	}
	if c.Sample < 1 || c.Sample > MaxSample {
		bad("access log of one in %d: want 1 to %d", c.Sample, MaxSample)
	}
}

// logHeader begins a line of the form LogHAProxy, as syslog does (RFC 3164, 4.1), so that what
// reads files written by syslog reads ours.
func logHeader(dst []byte, now time.Time, host string) []byte {
	dst = now.AppendFormat(dst, "Jan _2 15:04:05 ")
	return fmt.Appendf(dst, "%s tandem[%d]: ", host, os.Getpid())
}
