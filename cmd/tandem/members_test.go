package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
)

// lines is written by one goroutine and read by another.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.b.String()), "\n")
}

func TestMembersAreWatched(t *testing.T) {
	var mu sync.Mutex
	members := example().Members
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		_ = (&api.Server{Status: func() api.Status {
			mu.Lock()
			defer mu.Unlock()
			return api.Status{Members: members}
		}}).Serve(t.Context(), l)
	})
	defer l.Close()

	var text, objects lines
	watching, stop := context.WithCancel(ctx)
	results := make(chan error, 2)
	go func() { results <- watchMembers(watching, &text, api.NewClient(path), "", false) }()
	go func() { results <- watchMembers(watching, &objects, api.NewClient(path), "", true) }()
	until := func(n int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); len(text.all()) < n || len(objects.all()) < n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %d lines within 20 s: %q", n, text.all())
			}
		}
	}
	set := func(change func([]api.Member) []api.Member) {
		mu.Lock()
		defer mu.Unlock()
		members = change(slices.Clone(members))
	}
	until(2)
	set(func(m []api.Member) []api.Member {
		m[1].Apps = []api.App{m[1].Apps[0]}
		m[1].Apps[0].Drain = false
		return m
	})
	until(3)
	set(func(m []api.Member) []api.Member { m[1].State = "failed"; return m })
	until(4)
	set(func(m []api.Member) []api.Member {
		return append(m[:1], api.Member{Name: "web2", Role: "agent", State: "alive", Addr: netip.MustParseAddrPort("192.168.42.22:7946"), Apps: []api.App{{Pool: "web"}}})
	})
	until(6)
	stop()
	for range 2 {
		if err := <-results; err != nil {
			t.Errorf("stopped, it says %v", err)
		}
	}
	want := []string{
		"alive lb1 balancer 192.168.42.11:7946",
		"alive web1 agent 192.168.42.21:7946 pool web app 192.168.42.21:3000 (drain) app=shop,zone=a",
		"update web1 agent 192.168.42.21:7946 pool web app 192.168.42.21:3000 app=shop,zone=a",
		"failed web1 agent 192.168.42.21:7946 pool web app 192.168.42.21:3000 app=shop,zone=a",
		"alive web2 agent 192.168.42.22:7946 pool web app none",
		"forgotten web1 agent 192.168.42.21:7946 pool web app 192.168.42.21:3000 app=shop,zone=a",
	}
	for i, line := range text.all() {
		if _, what, _ := strings.Cut(line, " "); i >= len(want) || what != want[i] {
			t.Errorf("line %d is %q", i+1, line)
		}
		var c memberChange
		if err := json.Unmarshal([]byte(objects.all()[i]), &c); err != nil || !strings.HasPrefix(want[i], c.Change+" "+c.Member.Name) {
			t.Errorf("object %d is %+v, %v", i+1, c, err)
		}
	}
}
