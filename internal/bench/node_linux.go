package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// A node is a host with its daemons.
type node struct {
	place
	site     *site
	host     *lab.Host
	services []*service // in the order in which they start, and in which they are stopped
	log      tail
	ignore   context.CancelFunc // ends the reading of the kernel's address news
}

// watch begins to read the host's addresses from its kernel.
func (n *node) watch() {
	ctx, cancel := context.WithCancel(n.site.ctx)
	n.ignore = cancel
	n.site.tasks.Go(func() error { return n.site.owners.Follow(ctx, n.host) })
}

// start runs all daemons that do not run.
func (n *node) start() error {
	for _, s := range n.services {
		if err := s.start(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all daemons in order, one after the other.
func (n *node) stop() error {
	var errs []error
	for _, s := range n.services {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

// nftPath is where Debian has it; nftMax is how long it may take.
const (
	nftPath = "/usr/sbin/nft"
	nftMax  = 10 * time.Second
)

// nft changes the host's firewall, as its administrator would.
func (n *node) nft(command string) error {
	var said tail
	p, err := n.host.Start(lab.Command{Path: nftPath, Args: []string{command}, Stdout: &said, Stderr: &said})
	if err != nil {
		return fmt.Errorf("nft in %s (apt-get install nftables): %w", n.name, err)
	}
	select {
	case <-p.Done():
	case <-time.After(nftMax):
		return fmt.Errorf("nft in %s: no end within %v", n.name, nftMax)
	}
	if err := p.Wait(); err != nil {
		return fmt.Errorf("nft %s in %s: %w: %s", command, n.name, err, &said)
	}
	return nil
}

// powerOff takes the power.
func (n *node) powerOff() error {
	for _, s := range n.services {
		s.forsake()
	}
	n.ignore()
	return n.host.PowerOff()
}

// powerOn gives it back, and starts what ran.
func (n *node) powerOn() error {
	if err := n.host.PowerOn(); err != nil {
		return err
	}
	if err := n.site.stack.setUp(n); err != nil {
		return err
	}
	n.watch()
	return n.start()
}

// tailMax is how much a tail keeps, in bytes.
const tailMax = 256 << 10

// tail keeps the last that was written to it. It may be used from any goroutine.
type tail struct {
	mu  sync.Mutex // protects buf
	buf []byte
}

// Write takes all of b.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailMax; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
