package agent

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-lb/tandem/internal/agent/lines"
	"github.com/tandem-lb/tandem/internal/agent/syslog"
)

// output is where all processes' lines go: on to the agent's own output, into the ring, and to the collector.
type output struct {
	prefixed bool
	maxLine  int
	ring     *lines.Ring
	sender   *syslog.Sender // nil: there is no collector

	mu sync.Mutex // held while a prefixed line is written, so that lines are whole
}

// stream is one of the two outputs of a process. One goroutine writes to it.
type stream struct {
	*output
	process, name string
	to            io.Writer
	pid           atomic.Int64
	split         *lines.Splitter
}

func (o *output) stream(process, name string, to io.Writer) *stream {
	s := &stream{output: o, process: process, name: name, to: to}
	s.split = lines.NewSplitter(o.maxLine, s.line)
	return s
}

// Write passes on what the process has printed. An error of the agent's own output is ignored: the process must not
// block, or die, since nobody takes its lines there.
func (s *stream) Write(p []byte) (int, error) {
	if !s.prefixed {
		_, _ = s.to.Write(p)
	}
	return s.split.Write(p)
}

func (s *stream) line(text []byte, cut bool) {
	if s.prefixed {
		b := make([]byte, 0, len(s.process)+len(text)+4)
		b = append(append(append(b, '['), s.process...), ']', ' ')
		b = append(append(b, text...), '\n')
		s.mu.Lock()
		_, _ = s.to.Write(b)
		s.mu.Unlock()
	}
	l := lines.Line{Time: time.Now(), Process: s.process, Stream: s.name, Text: string(text), Cut: cut}
	s.ring.Add(l)
	if s.sender != nil {
		s.sender.Send(syslog.Message{Time: l.Time, App: l.Process, PID: int(s.pid.Load()), Failing: l.Stream == "err", Text: l.Text})
	}
}
