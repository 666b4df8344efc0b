package syslog

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"
)

// Config says where to send what, and from whom.
type Config struct {
	Network  string // "udp", "tcp" or "tls"
	Address  string // host and port
	TLS      *tls.Config
	Host     string // HOSTNAME of the messages
	Facility int    // 0 to 23
	Buffer   int    // bytes of messages that may wait
	Log      *slog.Logger
}

// Message is one line.
type Message struct {
	Time    time.Time
	App     string // APP-NAME: the process
	PID     int    // PROCID; 0: none
	Failing bool   // severity error in place of informational
	Text    string
}

// Stats are counters since New, and how it goes.
type Stats struct {
	Sent      uint64 `json:"sent"`
	Dropped   uint64 `json:"dropped"`              // for want of room
	Waiting   int    `json:"waiting"`              // messages in the buffer
	Connected bool   `json:"connected"`            // of UDP: the address is known
	Error     string `json:"last_error,omitempty"` // why nothing could be sent; none once something was
}

const (
	minPause    = 100 * time.Millisecond // before the first attempt to connect again
	maxPause    = 30 * time.Second
	dialTimeout = 5 * time.Second  // for the connection, TLS included
	sendTimeout = 10 * time.Second // for one message; then the connection counts as broken
	overhead    = 64               // what a waiting message costs beside its text, in bytes
	maxDatagram = 2048             // RFC 5426, 3.2: what every receiver should take
)

// Sender sends messages to one collector.
type Sender struct {
	cfg   Config
	ready chan struct{} // there are messages; capacity 1

	mu      sync.Mutex // protects the following
	waiting []Message
	size    int
	dropped uint64 // of stats.Dropped, those the collector has not been told of
	stats   Stats
}

// New makes a Sender; it sends when Run does.
func New(cfg Config) *Sender {
	return &Sender{cfg: cfg, ready: make(chan struct{}, 1)}
}

// Send has m sent; the oldest that waits is dropped if there is no room. It never blocks.
func (s *Sender) Send(m Message) {
	s.mu.Lock()
	s.waiting = append(s.waiting, m)
	s.size += overhead + len(m.Text)
	for s.size > s.cfg.Buffer && len(s.waiting) > 0 {
		s.shift()
		s.dropped++
		s.stats.Dropped++
	}
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Stats returns the counters.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Waiting = len(s.waiting)
	return st
}

// shift removes the oldest message. It is called with s.mu held.
func (s *Sender) shift() {
	s.size -= overhead + len(s.waiting[0].Text)
	s.waiting[0] = Message{}
	s.waiting = s.waiting[1:]
}

// next returns the message to send next, and whether there is one: of what was dropped first.
func (s *Sender) next() (m Message, told uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped > 0 {
		return dropNotice(s.dropped), s.dropped, true
	}
	if len(s.waiting) == 0 {
		return m, 0, false
	}
	m = s.waiting[0]
	s.shift() // whoever cannot send it puts it back
	return m, 0, true
}

// done notes that what next returned was sent.
func (s *Sender) done(told uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Sent++
	s.dropped -= told
}

// putBack makes m the oldest again, if there is room: else it counts as dropped.
func (s *Sender) putBack(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size+overhead+len(m.Text) > s.cfg.Buffer {
		s.dropped++
		s.stats.Dropped++
		return
	}
	s.waiting = append([]Message{m}, s.waiting...)
	s.size += overhead + len(m.Text)
}

// Run sends until ctx ends, and then what waits still, if the collector takes it within grace.
func (s *Sender) Run(ctx context.Context, grace time.Duration) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	defer stop()
	pause := minPause
	for sending.Err() == nil && !s.idle(ctx) {
		link, err := s.connect(sending)
		if err == nil {
			s.open()
			var sent bool
			if sent, err = s.transfer(ctx, sending, link); sent {
				pause = minPause
			}
			link.close()
		}
		if err == nil {
			return // ctx has ended, and nothing waits
		}
		s.failed(err, pause)
		select {
		case <-time.After(pause):
		case <-sending.Done():
		}
		pause = min(2*pause, maxPause)
	}
}

// idle reports whether ctx has ended and nothing waits.
func (s *Sender) idle(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ctx.Err() != nil && len(s.waiting) == 0
}

func (s *Sender) failed(err error, pause time.Duration) {
	s.mu.Lock()
	first := s.stats.Error == ""
	s.stats.Connected, s.stats.Error = false, err.Error()
	waiting, dropped := len(s.waiting), s.stats.Dropped
	s.mu.Unlock()
	level := slog.LevelDebug
	if first {
		level = slog.LevelWarn
	}
	s.cfg.Log.Log(context.Background(), level, "the log collector does not take lines", "to", s.cfg.Address, "err", err,
		"waiting", waiting, "dropped", dropped, "again_in", pause)
}

func (s *Sender) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Connected = true
}

// taken notes that the collector takes messages.
func (s *Sender) taken() {
	s.mu.Lock()
	again := s.stats.Error != ""
	s.stats.Error = ""
	dropped := s.stats.Dropped
	s.mu.Unlock()
	if again {
		s.cfg.Log.Info("the log collector takes lines again", "to", s.cfg.Address, "dropped", dropped)
	}
}

// transfer sends what there is until ctx has ended and nothing waits (nil), or it fails. sent says whether anything was.
func (s *Sender) transfer(ctx, sending context.Context, link *link) (sent bool, err error) {
	ended := ctx.Done()
	for {
		m, told, ok := s.next()
		if ok {
			if err := link.send(s.encode(m)); err != nil {
				if told == 0 {
					s.putBack(m)
				}
				return sent, err
			}
			s.done(told)
			if !sent {
				sent = true
				s.taken()
			}
			continue
		}
		if ended == nil {
			return sent, nil
		}
		select {
		case <-s.ready:
		case <-ended:
			ended = nil // a last look
		case err := <-link.broken:
			return sent, err
		}
		if sending.Err() != nil {
			return sent, nil
		}
	}
}
