package talk

import (
	"crypto/ed25519"
	"testing"
	"time"
)

func TestAQuestionIsProvenForOneAskerOneAgentAndAWhile(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, _ := ed25519.GenerateKey(nil)
	keys := []ed25519.PublicKey{other, public}
	c := Challenges{Secret: [32]byte{1}}
	now := time.Unix(1_800_000_000, 0)
	q := LogQuestion{Last: 5, Process: "app", Challenge: c.For("lb1", now)}
	if q.Proven(keys, "lb1", "web1") {
		t.Error("proven without a proof")
	}
	if err := q.Sign(private, "lb1", "web1"); err != nil || !q.Proven(keys, "lb1", "web1") {
		t.Fatalf("not proven: %v", err)
	}
	altered := q
	altered.Process = ""
	for what, proven := range map[string]bool{
		"by another asker":    q.Proven(keys, "lb2", "web1"),
		"to another agent":    q.Proven(keys, "lb1", "web2"),
		"with another key":    q.Proven(keys[:1], "lb1", "web1"),
		"without any key":     q.Proven(nil, "lb1", "web1"),
		"with a key cut off":  q.Proven([]ed25519.PublicKey{public[:31]}, "lb1", "web1"),
		"another question":    altered.Proven(keys, "lb1", "web1"),
		"a challenge too old": c.Good(q.Challenge, "lb1", now.Add(2*ChallengeTime)),
		"another's challenge": c.Good(q.Challenge, "lb2", now),
		"of another run":      Challenges{}.Good(q.Challenge, "lb1", now),
		"no challenge":        c.Good(nil, "lb1", now),
	} {
		if proven {
			t.Errorf("%s: taken for good", what)
		}
	}
	if !c.Good(q.Challenge, "lb1", now.Add(ChallengeTime)) {
		t.Error("a challenge is good for less than said")
	}
}
