package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/timeline"
)

// The timelines of all balancers as one of them tells them: it asks the others, each for what
// is wanted of its own. Like the reports, nothing but what is shown depends on it.

const (
	askTimeline = "timeline v1 " // and then a timelineQuestion in JSON
	// maxPages bounds the answers to one question; the whole of a timeline fits into seven.
	maxPages = 16
	// pageEntries bounds the entries of an answer: some 100 bytes of each are left when packed.
	pageEntries = 600
	// timelinePatience bounds what one balancer is waited for.
	timelinePatience = 2 * time.Second
)

// timelineQuestion is what is wanted of one balancer.
type timelineQuestion struct {
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Kinds  []string  `json:"kinds,omitempty"`
	Group  string    `json:"group,omitempty"`
	After  uint64    `json:"after,omitempty"`
	Before uint64    `json:"before,omitempty"`
	Limit  int       `json:"limit,omitempty"`
}

func questionFor(q api.TimelineQuery, node string) timelineQuestion {
	return timelineQuestion{Since: q.Since, Until: q.Until, Kinds: q.Kinds, Group: q.Group, After: q.After[node], Limit: q.Limit}
}

func (q timelineQuestion) filter() timeline.Filter {
	return timeline.Filter{Since: q.Since, Until: q.Until, Kinds: q.Kinds, Group: q.Group, After: q.After, Before: q.Before, Limit: q.Limit}
}

// timelineAnswer holds the newest of what was asked for, as much as fits.
type timelineAnswer struct {
	Node    string           `json:"node"`
	At      time.Time        `json:"at"`
	Entries []timeline.Entry `json:"entries"` // oldest first
	More    bool             `json:"more"`    // there are older ones
}

// tellTimeline answers a question in limit bytes.
func tellTimeline(log *timeline.Log, node string, question []byte, limit int) ([]byte, error) {
	var q timelineQuestion
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, fmt.Errorf("question about the timeline: %w", err)
	}
	found := log.Query(q.filter())
	for n := min(len(found), pageEntries); ; n /= 2 {
		b, err := squeeze(timelineAnswer{Node: node, At: time.Now(), Entries: found[len(found)-n:], More: n < len(found)})
		if err != nil || len(b) <= limit || n == 0 {
			return b, err
		}
	}
}

// told is what one balancer has told.
type told struct {
	timeline.Part
	clock clock
	cut   bool // there are older ones
}

// askTimelineOf asks the balancer called node, again and again until all is there.
func askTimelineOf(ctx context.Context, members asker, node string, q timelineQuestion) (t told, err error) {
	ctx, cancel := context.WithTimeout(ctx, timelinePatience)
	defer cancel()
	for range maxPages {
		question, err := json.Marshal(q)
		if err != nil {
			return t, fmt.Errorf("question about the timeline: %w", err)
		}
		sent := time.Now()
		b, err := members.Ask(ctx, node, append([]byte(askTimeline), question...))
		got := time.Now()
		var a timelineAnswer
		if err == nil {
			err = unsqueeze(b, &a)
		}
		switch {
		case ctx.Err() != nil:
			return t, fmt.Errorf("no answer within %v", timelinePatience)
		case err != nil:
			return t, err
		case a.Node != node:
			return t, fmt.Errorf("%s says that it is %q", node, a.Node)
		}
		t.take(a, q)
		t.clock = t.clock.better(readClock(sent, a.At, got))
		if t.cut = a.More; !a.More || len(a.Entries) == 0 || q.Limit > 0 && len(t.Entries) >= q.Limit {
			return t, nil
		}
		q.Before = a.Entries[0].Seq
	}
	return t, nil
}

// take adds a page before those that are there. A balancer tells of itself alone, and in order.
func (t *told) take(a timelineAnswer, q timelineQuestion) {
	page := slices.DeleteFunc(a.Entries, func(e timeline.Entry) bool { return !q.filter().Match(e) })
	for i := range page {
		page[i].Node = a.Node
	}
	t.Entries = append(page, t.Entries...)
}

// lastWord is what is left of a balancer that does not answer: the newest entries that it sent
// with its last report.
func lastWord(v api.NodeView, q timelineQuestion) (t told) {
	for _, e := range v.Newest {
		if one := entryOf(e); q.filter().Match(one) {
			t.Entries = append(t.Entries, one)
		}
	}
	t.clock = clock{offset: v.ClockOffset, exact: v.ClockExact}
	t.cut = len(v.Newest) == maxNewest
	return t
}

// about says where the entries of a balancer come from.
func (t *told) about(node string) api.NodeTimeline {
	t.Clock, t.Exact = t.clock.offset, t.clock.exact
	return api.NodeTimeline{Node: node, Entries: len(t.Entries), Cut: t.cut, ClockOffset: t.clock.offset, ClockExact: t.clock.exact}
}
