package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// entry is what 'tandem timeline --json' prints, as far as the tests look at it.
type entry struct {
	Seq                                              uint64
	Node, Kind, From, To, Reason, Peer, Who, Subject string
	Evidence                                         struct {
		Missed, Rounds int
		Silence        time.Duration
		Answers        map[string]int
		Signals        []string
	}
	Phases *struct{ Detect, Decide, Claim, Announce time.Duration }
}

// timeline is the part of one balancer.
func (s *site) timeline(host string, args ...string) []entry {
	s.t.Helper()
	all, err := s.timelineAt(host, append(args, "--node", host)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// timelineAt is what one balancer tells of all.
func (s *site) timelineAt(host string, args ...string) ([]entry, error) {
	out, err := s.tandem(host, append([]string{"timeline", "--json"}, args...)...)
	if err != nil {
		return nil, err
	}
	var told struct{ Entries []entry }
	err = json.Unmarshal([]byte(out), &told)
	return told.Entries, err
}

var stateChanged = regexp.MustCompile(`msg="?state changed"?.* from=(\S+) to=(\S+) reason="?([a-z-]+)`)

// untilExplained waits until each change of state that a balancer has logged has exactly one
// entry, in the same order and with the same reason, and returns the last.
func (s *site) untilExplained(host string) (last entry) {
	s.t.Helper()
	s.until("each change of state of "+host+" has one entry", func() (bool, string) {
		var logged, told []string
		for _, m := range stateChanged.FindAllStringSubmatch(s.logs[host].tail(), -1) {
			logged = append(logged, strings.Join(m[1:], " "))
		}
		for _, e := range s.timeline(host, "--kind", "state") {
			told, last = append(told, e.From+" "+e.To+" "+e.Reason), e
		}
		return len(logged) > 0 && slices.Equal(logged, told), "logged:\n" + strings.Join(logged, "\n") + "\nin the timeline:\n" + strings.Join(told, "\n")
	})
	return last
}

// tookOver checks the explanation of a takeover from a node that vanished.
func tookOver(t *testing.T, e entry, from string) {
	t.Helper()
	if e.From != "backup" || e.To != "active" || e.Reason != "active-silent" || e.Peer != from {
		t.Fatalf("the last entry is %+v; want a takeover from %s, which fell silent", e, from)
	}
	if e.Evidence.Rounds == 0 || e.Evidence.Silence == 0 || len(e.Evidence.Answers) != 0 {
		t.Errorf("evidence %+v; want a silence, queries, and no answer", e.Evidence)
	}
	if p := e.Phases; p == nil || p.Detect <= 0 || p.Decide <= 0 || p.Claim <= 0 || p.Announce <= 0 {
		t.Errorf("phases %+v; want all of them measured", p)
	}
}

func TestTheTimelineExplainsAPowerLoss(t *testing.T) {
	s, active := newPair(t)
	backup := other(active)
	s.power(active, false)
	s.untilOwnedBy(backup)
	e := s.untilExplained(backup)
	tookOver(t, e, active)
	if e.Evidence.Missed < 3 {
		t.Errorf("%d adverts were missed, want those of an active-down interval", e.Evidence.Missed)
	}
	s.untilServedBy("web1", "web2")
	s.untilSays(backup, "the first request that "+backup+" has served is told", "until the first request was served", "why", vip.String())
	out, err := s.tandem(backup, "why", vip.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{backup + " became active", active + " was active and fell silent", "brought no answer", "until it was decided to claim", "is " + active + " up?"} {
		if !strings.Contains(out, want) {
			t.Errorf("why does not say %q:\n%s", want, out)
		}
	}
	t.Logf("tandem why:\n%s", out)

	// What the dead one did itself is known as well, and that it is dead.
	out, err = s.tandem(backup, "timeline")
	if err != nil || !strings.Contains(out, active+" does not tell (") || !strings.Contains(out, "is what it said last") {
		t.Errorf("the timeline does not name the dead: %v\n%s", err, out)
	}
	all, err := s.timelineAt(backup, "--kind", "state")
	if err != nil || !slices.ContainsFunc(all, func(e entry) bool { return e.Node == active && e.To == "active" }) {
		t.Errorf("that %s had become active is not told: %+v, %v", active, all, err)
	}
}

func TestTheTimelineExplainsADeadKeeperAndSurvivesIt(t *testing.T) {
	s := newSite(t)
	state := map[string]string{"lb1": t.TempDir(), "lb2": t.TempDir()}
	start := func(lb string) {
		s.extra = []string{"--state", state[lb]}
		s.startLB(lb)
	}
	start("lb1")
	start("lb2")
	active := s.settled()
	before := s.untilExplained(active)
	s.kill(s.process(active, "keeper"))
	s.untilOwnedBy(other(active))
	e := s.untilExplained(other(active))
	tookOver(t, e, active)
	if !slices.ContainsFunc(e.Evidence.Signals, func(w string) bool { return strings.Contains(w, "keeper of "+active+" has ended") }) {
		t.Errorf("signals %q; want that the keeper of %s has ended", e.Evidence.Signals, active)
	}
	start(active)
	s.until("the new keeper of "+active+" knows what the old one did", func() (bool, string) {
		all, err := s.timelineAt(active, "--kind", "state", "--node", active)
		return len(all) > 0 && slices.ContainsFunc(all, func(o entry) bool { return o.Seq == before.Seq && o.To == before.To }) && all[len(all)-1].Seq > before.Seq, fmt.Sprint(all, err)
	})
}

func TestTheTimelineExplainsAHandoverAndNamesWhoAskedForIt(t *testing.T) {
	s, active := newPair(t)
	if out, err := s.tandem(active, "handover"); err != nil {
		t.Fatal(out, err)
	}
	s.untilOwnedBy(other(active))
	e := s.untilExplained(other(active))
	if e.To != "active" || e.Reason != "handover" || e.Peer != active || e.Phases == nil || e.Phases.Claim <= 0 {
		t.Errorf("the taker's last entry is %+v; want a handover from %s", e, active)
	}
	s.untilDrained(active)
	s.untilExplained(active)
	gave := 0
	for _, o := range s.timeline(active, "--kind", "state") {
		if o.From == "active" && o.To == "draining" && o.Reason == "handover" {
			gave++
		}
	}
	if gave != 1 {
		t.Errorf("the giver tells its part %d times, want once", gave)
	}
	// Either tells the whole of it.
	for _, lb := range []string{"lb1", "lb2"} {
		out, err := s.tandem(lb, "why")
		if err != nil || !strings.Contains(out, other(active)+" became active") || !strings.Contains(out, "asked on "+active+" for: handover") {
			t.Errorf("why on %s: %v\n%s", lb, err, out)
		}
		all, err := s.timelineAt(lb, "--kind", "state")
		gave := slices.IndexFunc(all, func(e entry) bool { return e.Node == active && e.From == "active" })
		took := slices.IndexFunc(all, func(e entry) bool { return e.Node != active && e.To == "active" })
		if err != nil || gave < 0 || took < gave {
			t.Errorf("the timeline on %s has the giver's part at %d and the taker's at %d: %v\n%+v", lb, gave, took, err, all)
		}
	}
	orders := s.timeline(active, "--kind", "order")
	if len(orders) != 2 || orders[0].To != "asked" || orders[1].To != "done" || !strings.HasPrefix(orders[0].Who, "uid ") || orders[0].Subject != "handover" {
		t.Errorf("orders %+v; want who asked for a handover, and that it was done", orders)
	}
}

// A control process that dies takes no change of state with it, and tells none twice.
func TestTheTimelineOutlivesTheControlProcess(t *testing.T) {
	s, active := newPair(t)
	s.untilExplained(active)
	s.kill(s.process(active, "control"))
	s.untilRestarted(active, "control", 1)
	s.untilExplained(active)
}
