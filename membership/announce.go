package membership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Bounds in time of what this node says.
const (
	leaveGossip = 200 * time.Millisecond // to gossip the goodbye: a balancer's two ticks, to up to six members, who pass it on
	leaveEnd    = agentGossipInterval    // to gossip that it is over: an agent's tick at least
	maxPushing  = 16                     // balancers that are told at once
)

// ErrNotTold is what is wrong when balancers could not be told directly what is new.
var ErrNotTold = errors.New("membership: not told directly")

// SetMeta announces another Meta, one call after the other: by gossip to everybody, and directly to every balancer that is there. It returns
// when each of those was told, or could not be within 3 s each, or when ctx has ended; gossip goes on by itself.
// ErrMetaTooLarge, and errors of what Meta says, mean that nothing was announced. ErrNotTold names the balancers
// that only gossip will tell.
func (c *Cluster) SetMeta(ctx context.Context, meta Meta) error {
	c.announcing.Lock()
	defer c.announcing.Unlock()
	if c.hasLeft {
		return ErrClosed
	}
	next := statement{meta: meta.withDefaults(), seq: c.said.seq + 1}
	b, err := next.encode()
	if err != nil {
		return err
	}
	return c.announce(ctx, next, b, time.Nanosecond)
}

// announce makes next what this node says, and waits up to gossip for memberlist to have spread it.
func (c *Cluster) announce(ctx context.Context, next statement, b []byte, gossip time.Duration) error {
	c.said = next
	c.metaBytes.Store(&b)
	gossiped := make(chan struct{})
	if !c.work(func() {
		defer close(gossiped)
		_ = c.ml.UpdateNode(gossip) // its only error is that it still goes on
	}) {
		return ErrClosed
	}
	err := c.pushToBalancers(ctx, b)
	select {
	case <-gossiped:
	case <-ctx.Done():
	}
	return err
}

// pushToBalancers tells every balancer that is there directly.
func (c *Cluster) pushToBalancers(ctx context.Context, b []byte) error {
	frame := encodeFrame(framePush, c.wire, b)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // protects errs
		errs  []error
		slots = make(chan struct{}, maxPushing)
	)
	for _, m := range c.Members() {
		if m.Self || m.Meta.Role != RoleBalancer || !m.State.Present() {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := c.sendFrame(ctx, m.Name, frame); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrNotTold, errors.Join(errs...))
	}
	return nil
}

// Send gives payload (at most MaxPayload bytes) to the named member over TCP, within 3 s. A nil error means that its
// kernel has taken the connection, not that it has read; who needs that sends an answer.
func (c *Cluster) Send(ctx context.Context, name string, payload []byte) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("%w: %d bytes where %d fit", ErrPayloadTooLarge, len(payload), MaxPayload)
	}
	return c.sendFrame(ctx, name, encodeFrame(framePayload, c.wire, payload))
}

func (c *Cluster) sendFrame(ctx context.Context, name string, frame []byte) error {
	node, err := c.nodeOf(name)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	if !c.work(func() { sent <- c.ml.SendReliable(node, frame) }) {
		return ErrClosed
	}
	select {
	case err = <-sent:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("membership: cannot tell %s at %s: %w", name, node.Address(), err)
	}
	return nil
}

// nodeOf returns the run of name to talk to.
func (c *Cluster) nodeOf(name string) (*memberlist.Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	e := c.table.entries[name]
	if e == nil || !e.current.present() {
		return nil, fmt.Errorf("%w: %s", ErrUnknownMember, name)
	}
	return e.current.node(), nil
}

// Leave says goodbye, to every balancer directly and to everybody by gossip, and waits for 0.7 s at most, in which
// that goes out, or until ctx ends. (Balancers that are there but do not answer can make that 3 s more; the error
// names them.) Afterwards the Cluster can only be closed; to come back, Open another, at once if need be.
func (c *Cluster) Leave(ctx context.Context) error {
	c.announcing.Lock()
	defer c.announcing.Unlock()
	if c.hasLeft {
		return nil
	}
	c.hasLeft = true
	close(c.left)
	bye := c.said
	bye.seq++
	bye.leaving = true
	bye.meta.Tags = nil // so that it surely fits
	b, err := bye.encode()
	if err != nil {
		return err
	}
	err = c.announce(ctx, bye, b, leaveGossip)
	gone := make(chan struct{})
	if !c.work(func() {
		defer close(gone)
		_ = c.ml.Leave(leaveEnd) // its only error is that it still goes on
	}) {
		return ErrClosed
	}
	select {
	case <-gone:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	return err
}
