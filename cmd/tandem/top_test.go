package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tandem-lb/tandem/internal/api"
)

// busy is the example's cluster under load: most of it at lb1, a little at lb2, which sees a
// backend down that lb1 sees up.
func busy() api.Cluster {
	c := exampleCluster(context.Background())
	live := func(n float64, p99 time.Duration) *api.Live {
		return &api.Live{Requests: n, Errors: n / 100, Refused: n / 10, BytesIn: 1 << 10, BytesOut: 3 << 20, P50: p99 / 10, P95: p99 / 2, P99: p99}
	}
	for i, n := range []float64{500, 1} {
		s := c.Nodes[i].Status
		s.Frontends[0].Live, s.Pools[0].Live = live(n, 40*time.Millisecond), live(n, 30*time.Millisecond)
		s.Pools[0].Backends[0].Live, s.Pools[0].Backends[1].Live = live(n*0.9, 5*time.Millisecond), live(n*0.1, 1234*time.Millisecond)
	}
	c.Nodes[1].Status.Pools[0].Backends[0].State = "down"
	return c
}

func TestTopAddsUpWhatAllBalancersThatAreHeardSay(t *testing.T) {
	frontends, pools := topRows(busy())
	if len(frontends) != 1 || len(pools) != 1 || len(pools[0].children) != 2 {
		t.Fatalf("%d frontends, %d pools", len(frontends), len(pools))
	}
	f := frontends[0]
	if f.Live.Requests != 501 || f.Live.Refused != 50.1 || f.Current != 10 || f.Live.P99 != 40*time.Millisecond {
		t.Errorf("frontend: %+v", f)
	}
	if b := pools[0].children[0]; b.State != "up on lb1, down on lb2" || b.Live.Requests < 450.8 || b.Live.Requests > 451 {
		t.Errorf("backend: %+v", b)
	}
	if pools[0].State != "0 of 2 up" {
		t.Errorf("pool: %q", pools[0].State)
	}
}

func TestTopSortsItsBackends(t *testing.T) {
	_, pools := topRows(busy())
	for by, want := range map[string]string{"name": "web1 web2", "requests": "web1 web2", "errors": "web1 web2", "p99": "web2 web1"} {
		var got []string
		for _, b := range sortRows(pools[0].children, by) {
			got = append(got, b.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s: %v, want %s", by, got, want)
		}
	}
}

func TestTopsScreenHasNoMoreThanFits(t *testing.T) {
	var m topModel
	m.answered(busy(), nil)
	for _, size := range [][2]int{{80, 24}, {20, 5}, {200, 100}, {1, 1}, {80, 0}} {
		lines := m.screen(size[0], size[1])
		if len(lines) > size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) > size[0] {
				t.Errorf("%v: a line of %d: %q", size, utf8.RuneCountInString(l), l)
			}
		}
	}
	all := strings.Join(m.screen(200, 100), "\n")
	for _, want := range []string{"lb1 answers for 4 balancers", "unknown (was active)", "  web1", "501", "40ms", "q quits"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not on the screen:\n%s", want, all)
		}
	}
}

func TestTopsKeysDoWhatTheySay(t *testing.T) {
	var m topModel
	m.answered(busy(), nil)
	m.pressed("s")
	if !strings.Contains(m.title(), "s sorts by errors") || topOrders[m.order] != "requests" {
		t.Errorf("after s: %q", m.title())
	}
	m.pressed(" ")
	m.answered(api.Cluster{Node: "other"}, nil)
	if m.cluster.Node != "lb1" || !strings.Contains(m.title(), "HELD") {
		t.Errorf("held, it shows %q of %s", m.title(), m.cluster.Node)
	}
	m.pressed(" ")
	m.answered(api.Cluster{}, errors.New("gone"))
	if lines := m.screen(80, 24); lines[1] != "! gone" || len(lines) < 5 {
		t.Errorf("a balancer that does not answer: %q", lines[:2])
	}
	for range 500 {
		m.pressed("j")
	}
	if last := m.screen(80, 6); !strings.Contains(last[len(last)-1], "web") {
		t.Errorf("at the end there is %q", last[len(last)-1])
	}
	last := m.first
	if m.pressed("\x1b[5~"); m.first != last-m.room || m.room != 4 {
		t.Errorf("a page of %d lines up from line %d is line %d", m.room, last, m.first)
	}
	for _, key := range []string{"q", "\x03", "\x04"} {
		m.quit = false
		if m.pressed(key); !m.quit {
			t.Errorf("key %q does not quit", key)
		}
	}
}

func TestKeysThatCameAtOnceAreTakenApart(t *testing.T) {
	for in, want := range map[string][]string{
		"":               nil,
		"jjq":            {"j", "j", "q"},
		"\x1b[A\x1b[5~s": {"\x1b[A", "\x1b[5~", "s"},
		"\x1b[":          {"\x1b["},
		"\x1b":           {"\x1b"},
		"\x1bq":          {"\x1b", "q"},
		"\x1b[12;3":      {"\x1b[", "1", "2", ";", "3"},
		"\x1b[1;5Bq\x03": {"\x1b[1;5B", "q", "\x03"},
	} {
		if got := splitKeys(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTopPrintsAsOftenAsIsAsked(t *testing.T) {
	var out bytes.Buffer
	var m topModel
	m.answered(busy(), nil)
	if err := m.print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("escape sequences where no terminal is:\n%s", out.String())
	}
}
