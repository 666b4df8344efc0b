package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// A unit is a daemon as systemd would know it.
type unit struct {
	path    string
	args    []string
	restart time.Duration // after its end, by itself; 0: never
}

// A service is a unit of a node. Its methods are called from one goroutine; another one
// restarts it.
type service struct {
	unit
	node *node

	mu     sync.Mutex // protects what follows
	wanted bool       // it shall run
	proc   *lab.Process
}

// start runs the daemon, unless it runs.
func (s *service) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = true
	if s.proc != nil {
		select {
		case <-s.proc.Done():
		default:
			return nil
		}
	}
	return s.launch()
}

// launch runs the daemon. The caller holds mu.
func (s *service) launch() error {
	p, err := s.node.host.Start(lab.Command{Path: s.path, Args: s.args, Stdout: &s.node.log, Stderr: &s.node.log})
	if err != nil {
		return fmt.Errorf("start %s in %s: %w", s.path, s.node.name, err)
	}
	s.proc = p
	if s.restart > 0 {
		s.node.site.tasks.Go(func() error { s.revive(p); return nil })
	}
	return nil
}

// revive waits for the end of p, and starts the daemon again.
func (s *service) revive(p *lab.Process) {
	<-p.Done()
	select {
	case <-s.node.site.ctx.Done():
		return
	case <-time.After(s.restart):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted && s.proc == p {
		if err := s.launch(); err != nil {
			fmt.Fprintln(&s.node.log, "bench:", err)
		}
	}
}

// forsake leaves the daemon to its fate: whoever ends it, it is not restarted.
func (s *service) forsake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = false
}

// stopMax is how long a daemon may take to end after SIGTERM.
const stopMax = 20 * time.Second

// stop ends the daemon in order, and waits for its end.
func (s *service) stop() error {
	s.forsake()
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s in %s: %w", s.path, s.node.name, err)
	}
	select {
	case <-p.Done():
		return nil
	case <-time.After(stopMax):
		return fmt.Errorf("%s in %s did not end within %v of SIGTERM", s.path, s.node.name, stopMax)
	}
}
