package timeline

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestWhyTellsAPowerLossFromItsEvidence(t *testing.T) {
	old := Entry{Seq: 1, Time: noon.Add(-2 * time.Hour), Node: "lb2", Kind: KindState, Group: "default", From: "init", To: "backup", Reason: "started"}
	took := entryAt(0)
	took.Seq, took.Evidence.Answers = 2, nil
	failed := Entry{Seq: 3, Time: noon.Add(1200 * time.Millisecond), Node: "lb2", Kind: KindMember, Name: "lb1", To: "failed"}
	served := Entry{Seq: 4, Time: noon.Add(12 * time.Millisecond), Node: "lb2", Kind: KindServed, Group: "default", Epoch: took.Epoch, Phases: &Phases{Serve: 11 * time.Millisecond}}
	other := served
	other.Epoch, other.Phases = took.Epoch-1, &Phases{Serve: time.Second}
	s, ok := Why([]Entry{old, other, took, served, failed}, "default", "")
	if !ok {
		t.Fatal("nothing is told")
	}
	all := strings.Join(append(append([]string{s.Headline, s.Why}, s.Sure...), append(s.Took, s.Next...)...), "\n")
	for _, want := range []string{
		"lb2 became active for group default at 2026-11-22 12:00:00.000 UTC (epoch 7)",
		"lb1 was active and fell silent", "nothing was heard from lb1 for 92ms: 4 adverts were missed",
		"6 rounds of queries, by every path there was, brought no answer", "its own reception worked",
		"gossip reported lb1 as failed 1.2s later", "21ms until the first missed advert", "91ms in all", "11ms from when the VIP was on the interface until the first request was served", "is lb1 up?",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not told:\n%s", want, all)
		}
	}
	if len(s.Events) != 4 || !s.Complete {
		t.Errorf("%d events, complete %v; want the takeover, what was served, and what gossip said", len(s.Events), s.Complete)
	}
}

func TestWhyTellsTheLossAndNotTheReturnToBackup(t *testing.T) {
	entries := []Entry{
		{Seq: 5, Time: noon, Node: "lb1", Kind: KindOrder, Name: "handover to lb2", To: "asked", Who: "uid 0"},
		{Seq: 6, Time: noon, Node: "lb1", Kind: KindState, Group: "default", From: "active", To: "draining", Reason: "handover", Peer: "lb2", Evidence: &Evidence{PeerFitness: -1}},
		{Seq: 7, Time: noon.Add(time.Minute), Node: "lb1", Kind: KindState, Group: "default", From: "draining", To: "backup", Reason: "handover"},
	}
	s, ok := Why(entries, "", "")
	if !ok || !strings.Contains(s.Headline, "gave up being active") || s.Why != "The VIP was handed over, as planned." || s.Complete {
		t.Errorf("%+v, %v", s, ok)
	}
	if !strings.Contains(strings.Join(s.Sure, "\n"), "uid 0 asked on lb1 for: handover to lb2") {
		t.Errorf("the operator is not named: %q", s.Sure)
	}
	if _, ok := Why(entries, "other", ""); ok {
		t.Error("a group without a change has a story")
	}
	if _, ok := Why(nil, "", ""); ok {
		t.Error("an empty timeline has a story")
	}
}

// A word that election gets must have its sentence here; this package may not import it.
func TestEachReasonOfTheElectionHasItsSentence(t *testing.T) {
	source, err := os.ReadFile("../../election/state.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?s)var whyNames = \[numWhys\]string\{(.*?)\n\}`).FindSubmatch(source)
	if names == nil {
		t.Fatal("election/state.go has no list of reasons where this test looks for it")
	}
	words := regexp.MustCompile(`"([a-z-]+)"`).FindAllSubmatch(names[1], -1)
	if len(words) < 21 {
		t.Fatalf("only %d reasons were found", len(words))
	}
	for _, w := range words[1:] { // the first is none
		if reasons[string(w[1])].because == "" {
			t.Errorf("reason %q has no sentence", w[1])
		}
	}
	if len(reasons) != len(words)-1 {
		t.Errorf("%d sentences for %d reasons", len(reasons), len(words)-1)
	}
}

// What took the VIP from one balancer is what the story of the other one must name.
func TestWhyNamesWhatMadeTheOtherGiveItUp(t *testing.T) {
	state := func(node, from, to, why, peer, detail string, at time.Duration, signals ...string) Entry {
		return Entry{
			Time: noon.Add(at), Node: node, Kind: KindState, Group: "default", From: from, To: to, Reason: why, Peer: peer, Detail: detail,
			Evidence: &Evidence{PeerFitness: -1, Signals: signals},
		}
	}
	for _, c := range []struct {
		name    string
		entries []Entry
		want    string
	}{
		{"its proxy froze", []Entry{
			state("lb1", "active", "draining", "not-serving", "lb2", "loop 0 of the proxy stands still", 0),
			state("lb2", "backup", "active", "handover", "lb1", "", time.Millisecond),
		}, "lb1 gave it up: it could not serve, and another one could (loop 0 of the proxy stands still)."},
		{"it was stopped", []Entry{
			state("lb1", "active", "draining", "shutdown", "lb2", "", 2*time.Millisecond), // its clock is ahead
			state("lb2", "backup", "active", "handover", "lb1", "", time.Millisecond),
		}, "lb1 gave it up: it was asked to end."},
		{"it hears nobody any more", []Entry{
			state("lb1", "active", "fault", "isolated", "", "", 0),
			state("lb2", "backup", "active", "yielded", "lb1", "", time.Millisecond),
		}, "lb1 gave it up: Nobody was heard on the VIP's segment any more: it was cut off."},
		{"an operator asked for it", []Entry{
			state("lb1", "active", "draining", "handover", "lb2", "", 0),
			state("lb2", "backup", "active", "handover", "lb1", "", time.Millisecond),
		}, "lb1 handed the VIP over."},
		{"it was stopped, and its part is gone with it", []Entry{
			state("lb2", "backup", "active", "handover", "lb1", "", 0),
			{Time: noon.Add(2 * time.Second), Node: "lb2", Kind: KindMember, Name: "lb1", To: "left"},
		}, "lb1 handed the VIP over. Then it left the cluster: it was asked to end."},
		{"that was another time", []Entry{
			state("lb1", "active", "draining", "not-serving", "lb2", "", 0),
			state("lb2", "backup", "active", "handover", "lb1", "", time.Hour),
		}, "lb1 handed the VIP over."},
		{"it has told nothing", []Entry{state("lb2", "backup", "active", "yielded", "lb1", "", 0)}, "lb1 asked to be relieved, or came back without the VIP."},
		{"its keeper ended", []Entry{
			state("lb2", "backup", "active", "active-silent", "lb1", "", 0, "the state channel says that the keeper of lb1 has ended"),
		}, "lb1 was active and its keeper ended: its state channel closed, its adverts stopped and it answered no query."},
	} {
		if s, ok := Why(c.entries, "", "lb2"); !ok || s.Why != c.want {
			t.Errorf("%s: %q, want %q", c.name, s.Why, c.want)
		}
	}
}
