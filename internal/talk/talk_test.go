package talk

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAQuestionIsOfOneKindThatIsKnown(t *testing.T) {
	for _, q := range []Question{
		{InFlight: &InFlightQuestion{}},
		{Log: &LogQuestion{Run: "a", After: 1 << 60, Last: 5, Process: "app"}},
	} {
		b, err := Encode(q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseQuestion(b)
		if diff := cmp.Diff(q, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", b, err, diff)
		}
	}
	for _, bad := range []string{"", "{}", "null", `{"new":{}}`, `{"in_flight":{},"log":{}}`, "[", strings.Repeat(" ", MaxBytes+1)} {
		if q, err := ParseQuestion([]byte(bad)); err == nil {
			t.Errorf("%.40q was taken for %+v", bad, q)
		}
	}
	if _, err := Encode(strings.Repeat("x", MaxBytes)); err == nil {
		t.Error("too much was encoded")
	}
}

func TestALogIsCutToWhatFitsAndGoesOnWithTheNextAnswer(t *testing.T) {
	all := Log{Run: "r", Next: 100}
	for i := range 100 {
		all.Lines = append(all.Lines, Line{Seq: uint64(i + 1), Time: time.Unix(int64(i), 0).UTC(), Process: "app", Stream: "out", Text: strings.Repeat("\x1b", 400)})
	}
	var got []Line
	for len(got) < 100 {
		l := Log{Run: "r", Next: 100, Lines: all.Lines[len(got):]}
		b, err := l.Fit()
		if err != nil || len(b) > MaxBytes {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		var answer Log
		if err := ParseAnswer(b, &answer); err != nil || len(answer.Lines) == 0 {
			t.Fatalf("%s: %v", b, err)
		}
		got = append(got, answer.Lines...)
		if answer.Next != uint64(len(got)) || answer.More != (len(got) < 100) {
			t.Fatalf("after %d lines: next %d, more %v", len(got), answer.Next, answer.More)
		}
	}
	if diff := cmp.Diff(all.Lines, got); diff != "" {
		t.Error(diff)
	}
	one := Log{Next: 7, Lines: []Line{{Seq: 7, Text: strings.Repeat("\x00", 32<<10)}}}
	b, err := one.Fit()
	if err != nil || len(b) > MaxBytes || len(one.Lines[0].Text) != 32<<10 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	var answer Log
	if err := json.Unmarshal(b, &answer); err != nil || len(answer.Lines[0].Text) != maxLineBytes || !answer.Lines[0].Cut {
		t.Errorf("a line that is too long became %d bytes, %v", len(answer.Lines[0].Text), err)
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add([]byte(`{"log":{"run":"x","after":3}}`))
	f.Add([]byte(`{"in_flight":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l Log
		_ = ParseAnswer(b, &l)
		q, err := ParseQuestion(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseQuestion(again)
		if diff := cmp.Diff(q, back); err != nil && len(again) <= MaxBytes || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}
