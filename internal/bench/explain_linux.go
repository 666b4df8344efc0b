package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// writtenMax is how long what has happened may take into the timeline: a control process may
// just be starting, and a busy machine has it wait.
const writtenMax = 10 * time.Second

// explain asks each of lbs what has happened to it since the fault, and why it is where it is.
func (s *site) explain(ctx context.Context, t *Trial, fault string, lbs []*node, at time.Time) error {
	var since []change
	for _, n := range lbs {
		var (
			all    []change
			failed error
		)
		_, err := s.wait(ctx, 0, writtenMax, func() bool {
			var now groupNow
			all, now, failed = n.changes()
			t.Unexplained = unexplained(all, now)
			return failed == nil && len(t.Unexplained) == 0
		})
		if err = errors.Join(err, failed); err != nil || len(t.Unexplained) > 0 {
			return err
		}
		for _, c := range all {
			if c.Time.After(at) {
				since = append(since, c)
				t.Changes = append(t.Changes, c.told())
			}
		}
		why, err := n.tandem("why", "--node", n.name)
		if err != nil {
			return err
		}
		t.Story += why + "\n"
	}
	if what := unnamed(fault, since); what != "" {
		t.Unexplained = append(t.Unexplained, what)
	}
	return nil
}

// changes are all that a balancer's timeline tells of itself, and what it is to be compared with.
func (n *node) changes() ([]change, groupNow, error) {
	var (
		status struct{ Groups []groupNow }
		told   struct{ Entries []change }
	)
	err := errors.Join(n.ask(&told, "timeline", "--kind", "state", "--node", n.name), n.ask(&status, "status"))
	if err == nil && len(status.Groups) != 1 {
		err = errors.New(n.name + " knows of no VIP")
	}
	if err != nil {
		return nil, groupNow{}, err
	}
	return told.Entries, status.Groups[0], nil
}

// ask has a command print JSON.
func (n *node) ask(into any, args ...string) error {
	said, err := n.tandem(append(args, "--json")...)
	if err == nil {
		err = json.Unmarshal([]byte(said), into)
	}
	return err
}
