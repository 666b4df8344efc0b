package main

import (
	"strings"
	"testing"
	"time"
)

// sample is a report of two stacks, of which one had a repetition that failed.
func sample() Report {
	const ms = time.Millisecond
	one := Result{Fault: "power-loss", Stack: "tandem"}
	one.add(trialOf(90*ms, 10*ms, 0, 85*ms, 1))
	one.add(trialOf(110*ms, 4*ms, 0, 95*ms, 1))
	other := Result{Fault: "power-loss", Stack: "keepalived-1s"}
	lost := trialOf(3*time.Second, 53*time.Second, 5*time.Second, 2900*ms, 2)
	lost.Calm = false
	other.add(lost)
	other.add(Trial{Error: "the site did not come up"})
	none := Result{Fault: "stop", Stack: "keepalived-1s"}
	none.add(Trial{Error: "the site did not come up"})
	r := Report{
		Began: time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC), Took: 61.5, CPUs: 2, Kernel: "6.18.0", Load: "0.10 0.20 0.30",
		Command: "bench failover -n 2", Commit: "4b59c23", Versions: map[string]string{"keepalived": "2.2.7", "HAProxy": "2.6.12"}, CPU: "Intel Xeon", Go: "go1.26.8", Root: true,
	}
	for _, x := range []*Result{&one, &other, &none} {
		x.sum()
		r.Results = append(r.Results, *x)
	}
	return r
}

func trialOf(outage, back, two, none time.Duration, owners int) Trial {
	t := Trial{
		Requests: 1000, Failed: 40, Kinds: map[string]int{"timeout": 40}, MaxOwners: owners, Before: "lb1", Held: "lb2", After: "lb2", Calm: true,
	}
	t.OutageMS, t.ReturnMS, t.TwoMS, t.NoneMS, t.WrongMS = millis(outage), millis(back), millis(two), millis(none), millis(none)
	return t
}

func TestTheJSONKeepsItsShape(t *testing.T) {
	var b strings.Builder
	if err := writeJSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", b.String())
}

func TestTheTableSaysWhatWentWrong(t *testing.T) {
	var b strings.Builder
	if err := sample().writeTable(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", b.String())
}

func TestARepetitionThatFailedIsNotCountedIn(t *testing.T) {
	r := sample().Results[1]
	if r.N != 1 || r.Broken != 1 || r.Uncalm != 1 || r.OutageMS.Min != 3000 {
		t.Errorf("got %+v", r)
	}
}

func TestALineSaysWhyANumberIsNotToBeTrusted(t *testing.T) {
	x := trialOf(90*time.Millisecond, 0, 0, 85*time.Millisecond, 1)
	x.Held, x.Late, x.Skipped, x.Calm = "", 3, 40, false
	const want = "outage 90 ms, on return 0 ms, failed 40 of 1000 (40 timeout), two owners 0 ms, none 85 ms, wrong cache 85 ms, " +
		"active lb1, ?, lb2; a busy machine: 3 late, 40 skipped; NOT CALM at the end"
	if got := x.line(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
