package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/testneed"
)

func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }

func TestFaultsAreMeasuredBesideThePeer(t *testing.T) {
	lab.Need(t)
	if err := peerMissing(); err != nil {
		testneed.Missing(t, "the peers: %v", err)
	}
	t.Setenv(workVar, t.TempDir())
	if err := build(tandemPath()); err != nil {
		t.Fatal(err)
	}
	o := options{n: 1, json: true, faults: []string{"power-loss", "link-blip"}, adverts: []time.Duration{0}, peers: []string{"keepalived-0.1s"}, watch: time.Second}
	var out, progress strings.Builder
	ok, err := failover(t.Context(), o, stacksFor(o, &progress), &out, &progress)
	t.Log(progress.String())
	if err != nil || !ok {
		t.Fatalf("ok %v, %v", ok, err)
	}
	var report Report
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	var got []string
	for _, r := range report.Results {
		got = append(got, r.Fault+" "+r.Stack)
		if r.N != 1 || len(r.Trials) != 1 || r.Requests == 0 || r.MaxOwners == 0 || r.OutageMS.Max == 0 {
			t.Errorf("%s, %s: %+v", r.Fault, r.Stack, r)
			continue
		}
		if tr := r.Trials[0]; r.Fault == "power-loss" && (tr.Held == tr.Before || tr.Held == "") {
			t.Errorf("%s: %q was active when %s had lost its power", r.Stack, tr.Held, tr.Before)
		}
	}
	want := []string{"power-loss tandem", "power-loss keepalived-0.1s", "link-blip tandem", "link-blip keepalived-0.1s"}
	if !slices.Equal(got, want) {
		t.Errorf("results of %q, want %q", got, want)
	}
}

func TestAFrozenHostStandsStillAndItsNeighbourDoesNot(t *testing.T) {
	lab.Need(t)
	l, err := lab.New(lab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	var nodes []*node
	for i, name := range []string{"a", "b"} {
		h, err := l.Host(name, netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := h.Start(lab.Command{Path: "/bin/sleep", Args: []string{"1000"}}); err != nil {
				t.Fatal(err)
			}
		}
		nodes = append(nodes, &node{place: place{name: name}, host: h})
	}
	still := func(n *node) (stand int) {
		t.Helper()
		list, err := n.processes()
		if err != nil || len(list) != 2 {
			t.Fatalf("%s has %v, %v; want two processes", n.name, list, err)
		}
		for _, p := range list {
			if stopped(p.pid) {
				stand++
			}
		}
		return stand
	}
	if err := freeze(nodes[0].processes); err != nil {
		t.Fatal(err)
	}
	if a, b := still(nodes[0]), still(nodes[1]); a != 2 || b != 0 {
		t.Errorf("%d of a's and %d of b's two stand still, want 2 and 0", a, b)
	}
	if err := thaw(nodes[0].processes); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); still(nodes[0]) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a still stands 10 s after it was thawed")
		}
	}
}
