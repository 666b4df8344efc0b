package handover

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// DefaultMaxCollected is how many connections a Collector knows.
const DefaultMaxCollected = 32 << 10

// CollectorConfig is what a Collector lists.
type CollectorConfig struct {
	VIPs []netip.Addr // 1 to 64
	Max  int          // connections that it tells of; 0: 32,768. It takes some 200 bytes for each.
}

// Collector tells a peer of the connections that this node's clients have to its VIPs. One
// goroutine at a time may use it.
type Collector struct {
	vips   []netip.Addr
	diag   *diag
	ledger *ledger
}

// NewCollector opens a socket in the calling thread's network namespace. It needs no rights.
func NewCollector(cfg CollectorConfig) (*Collector, error) {
	if cfg.Max == 0 {
		cfg.Max = DefaultMaxCollected
	}
	switch {
	case len(cfg.VIPs) == 0 || len(cfg.VIPs) > maxVIPs:
		return nil, fmt.Errorf("handover: collect for %d VIPs; 1 to %d are allowed", len(cfg.VIPs), maxVIPs)
	case cfg.Max < 1 || cfg.Max > 1<<20:
		return nil, fmt.Errorf("handover: collect %d connections; 1 to 2^20 are allowed", cfg.Max)
	}
	d, err := openDiag()
	if err != nil {
		return nil, err
	}
	return &Collector{vips: unmapped(cfg.VIPs), diag: d, ledger: newLedger(cfg.Max)}, nil
}

// Collect lists the connections and returns what has changed since the last time, encoded for
// Book.Apply, in messages of at most MaxBatch bytes, to be sent in order; none when nothing
// has changed. The first time it is everything. It takes the kernel some 2 ms, and about a
// microsecond for each connection: call it no more often than every 250 ms. A connection that
// is shorter than that is mostly not told of.
func (c *Collector) Collect(ctx context.Context) ([][]byte, error) {
	if c.diag == nil {
		return nil, fmt.Errorf("handover: collect: %w", ErrClosed)
	}
	c.ledger.begin()
	err := c.diag.list(ctx, c.vips, waitingStates, func(w Flow) error {
		c.ledger.see(w)
		return nil
	})
	if err != nil {
		c.ledger.again = true // half a list says nothing about who is gone
		return nil, err
	}
	return c.ledger.end(time.Now()).encode(), nil
}

// Reset makes a coming Collect return everything: after a new peer came, or after messages
// were dropped because the peer did not take them. Everything is said every 5 s at most.
func (c *Collector) Reset() { c.ledger.again = true }

// Known returns how many connections the peer was told of, and how many of the last list
// were left out for want of room.
func (c *Collector) Known() (told, leftOut int) { return len(c.ledger.known), c.ledger.leftOut }

// Close closes the socket. Twice is no error.
func (c *Collector) Close() error {
	if c.diag == nil {
		return nil
	}
	err := c.diag.close()
	c.diag = nil
	return errors.Join(err)
}
