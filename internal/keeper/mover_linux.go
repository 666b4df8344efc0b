package keeper

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/vip"
)

const (
	moverName = "hook"
	moverUID  = 61949
	// moverPause is the wait before a program that failed is run again; it doubles up to
	// moverLongest. APIs fail for a moment, and limit how often they are called.
	moverPause   = 200 * time.Millisecond
	moverLongest = 2 * time.Second
)

// mover has a group's VIPs routed to this node, or no longer, by running a program (vip.Mover).
// The program is no part of the keeper's trust: it runs as a user of its own, without
// capabilities or a way to gain any, and inherits neither descriptors nor environment.
type mover struct {
	argv    []string
	timeout time.Duration // of all attempts together
	who     identity
	order   moverOrder // but for the action and the attempt
	log     *slog.Logger
}

// moverOrder is what the program reads from its standard input, as JSON.
type moverOrder struct {
	Action    string       `json:"action"` // claim or release
	Group     string       `json:"group"`
	VIPs      []netip.Addr `json:"vips"`
	Node      string       `json:"node"`
	Interface string       `json:"interface"`
	Address   netip.Addr   `json:"address"`  // this node's own, on that interface
	Attempt   int          `json:"attempt"`  // 1 for the first
	Deadline  time.Time    `json:"deadline"` // it is killed then
}

func newMover(cfg groupConfig, ifi vip.Interface, log *slog.Logger) *mover {
	return &mover{
		argv: cfg.hook, timeout: cfg.hookTimeout, who: identityFor(moverName, moverUID), log: log,
		order: moverOrder{
			Group: cfg.name, VIPs: cfg.vip.Addrs, Node: cfg.election.Node, Interface: ifi.Name, Address: ifi.Addr.Addr(),
		},
	}
}

// Claim implements vip.Mover.
func (m *mover) Claim(ctx context.Context) error { return m.move(ctx, "claim") }

// Release implements vip.Mover.
func (m *mover) Release(ctx context.Context) error { return m.move(ctx, "release") }

// move runs the program until it has succeeded, or the time is over.
func (m *mover) move(ctx context.Context, action string) error {
	began := time.Now()
	ctx, cancel := context.WithDeadline(ctx, began.Add(m.timeout))
	defer cancel()
	order := m.order
	order.Action, order.Deadline = action, began.Add(m.timeout)
	for pause := moverPause; ; pause = min(2*pause, moverLongest) {
		order.Attempt++
		err := m.run(ctx, order)
		if err == nil {
			m.log.Info("hook succeeded", "action", action, "attempt", order.Attempt, "took", time.Since(began))
			return nil
		}
		m.log.Warn("hook failed", "action", action, "attempt", order.Attempt, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("hook %s: %s did not succeed within %v, in %d attempts: %w; run it by hand, or raise hook_timeout",
				m.argv[0], action, m.timeout, order.Attempt, err)
		}
	}
}

// run runs the program once.
func (m *mover) run(ctx context.Context, order moverOrder) error {
	stdin, err := json.Marshal(order)
	if err != nil {
		return err
	}
	return hook.Run(ctx, hook.Program{
		Argv: m.argv, Env: order.env(), Stdin: append(stdin, '\n'),
		Start: func(cmd *exec.Cmd) error { return startWithoutRights(cmd, m.who) },
	}).Error()
}

// env is the whole environment: the essentials, for a program that would rather not read JSON.
func (o moverOrder) env() []string {
	vips := make([]string, 0, len(o.VIPs))
	for _, a := range o.VIPs {
		vips = append(vips, a.String())
	}
	return []string{
		hook.Path,
		"TANDEM_ACTION=" + o.Action, "TANDEM_GROUP=" + o.Group, "TANDEM_VIPS=" + strings.Join(vips, " "),
		"TANDEM_NODE=" + o.Node, "TANDEM_INTERFACE=" + o.Interface, "TANDEM_ADDRESS=" + o.Address.String(),
	}
}
