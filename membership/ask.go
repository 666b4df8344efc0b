package membership

import (
	"context"
	"errors"
	"fmt"
)

// MaxQuestion is the largest question of [Cluster.Ask], and the largest answer to one, in bytes.
const MaxQuestion = 60 << 10

// Ask has the member called name answer question, by its Config.Answer, over TCP. It asks up to three times, 2 s each,
// so a question may be answered more than once, and returns ErrUnknownMember when no such member is there, what the
// member's Config.Answer says is wrong, or why there is no answer.
func (c *Cluster) Ask(ctx context.Context, name string, question []byte) ([]byte, error) {
	if len(question) > MaxQuestion {
		return nil, fmt.Errorf("%w: %d bytes where %d fit into a question", ErrPayloadTooLarge, len(question), MaxQuestion)
	}
	t, err := c.targetOf(name)
	if err != nil {
		return nil, err
	}
	r, err := c.askOne(ctx, t, orderAsk, question)
	if err == nil && r.note != "" {
		err = errors.New(r.note)
	}
	if err != nil {
		return nil, fmt.Errorf("membership: asked %s: %w", name, err)
	}
	return r.body, nil
}

// Encrypted reports whether this member's gossip, and with it what it is asked and answers, is encrypted.
func (c *Cluster) Encrypted() bool { return c.ring.keys != nil }

// targetOf returns the run of name to talk to.
func (c *Cluster) targetOf(name string) (target, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return target{}, ErrClosed
	}
	e := c.table.entries[name]
	if e == nil || !e.current.present() {
		return target{}, fmt.Errorf("%w: %s", ErrUnknownMember, name)
	}
	return target{name, e.current.addr, e.current.wire, e.current.node()}, nil
}

// answer has the user answer what the member from asks.
func (c *Cluster) answer(from string, question []byte) ([]byte, error) {
	if c.cfg.Answer == nil {
		return nil, errors.New("this member answers no questions")
	}
	c.mu.Lock()
	e := c.table.entries[from]
	if e == nil {
		c.mu.Unlock()
		return nil, fmt.Errorf("%w: %s", ErrUnknownMember, from)
	}
	asks := e.shown
	c.mu.Unlock()
	answer, err := c.cfg.Answer(asks, question)
	if err == nil && len(answer) > MaxQuestion {
		return nil, fmt.Errorf("an answer of %d bytes, where %d fit", len(answer), MaxQuestion)
	}
	return answer, err
}
