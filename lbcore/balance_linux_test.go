package lbcore_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// answering makes n backends that answer with their ID.
func answering(t testing.TB, n int) (list []lbcore.BackendConfig) {
	for i := range n {
		id := fmt.Sprintf("s%d", i)
		list = append(list, httpBackend(t, id, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, id) }))
	}
	return list
}

func policy(name string, h lbcore.HashConfig) bedOption {
	return func(_ *lbcore.Config, _ *lbcore.FrontendConfig, p *lbcore.PoolConfig) { p.Policy, p.Hash = name, h }
}

// askFor asks for path with a header X-Tenant, if any, and returns who answered.
func (l *bed) askFor(path, tenant string) string {
	l.t.Helper()
	c := l.dial()
	defer c.Close()
	if tenant != "" {
		tenant = "x-tenant: " + tenant + "\r\n"
	}
	c.say("GET " + path + " HTTP/1.1\r\nHost: a\r\n" + tenant + "Connection: close\r\n\r\n")
	_, who := c.answer(l.t.(*testing.T), "GET")
	return who
}

func TestEachKeyHasItsBackend(t *testing.T) {
	backends := answering(t, 5)
	for _, tc := range []struct {
		name         string
		hash         lbcore.HashConfig
		paths, heads int // how many backends answer different paths, and different headers
	}{
		{"source", lbcore.HashConfig{}, 1, 1},
		{"path", lbcore.HashConfig{On: lbcore.HashPath}, 5, 1},
		{"header", lbcore.HashConfig{On: lbcore.HashHeader, Header: "X-Tenant"}, 1, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newBed(t, backends, policy("hash", tc.hash))
			byPath, byHead := map[string]bool{}, map[string]bool{}
			for i := range 60 {
				path := fmt.Sprintf("/%d", i)
				who := l.askFor(path, "")
				if again := l.askFor(path+"?q=1", ""); again != who {
					t.Fatalf("%s was answered by %s and, with a query, by %s", path, who, again)
				}
				byPath[who] = true
				byHead[l.askFor("/", fmt.Sprint("t", i))] = true
			}
			if len(byPath) != tc.paths || len(byHead) != tc.heads {
				t.Errorf("%d backends for different paths and %d for different headers, want %d and %d", len(byPath), len(byHead), tc.paths, tc.heads)
			}
		})
	}
}

func TestAHashedRequestGoesElsewhereWhenItsBackendIsGone(t *testing.T) {
	backends := answering(t, 3)
	dead, stop := stoppable(t, "s9")
	l := newBed(t, append(backends, dead), policy("hash", lbcore.HashConfig{On: lbcore.HashPath}), longChecks)
	stop()
	for i := range 40 {
		if who := l.askFor(fmt.Sprintf("/%d", i), ""); len(who) != 2 {
			t.Fatalf("/%d was answered with %q", i, who)
		}
	}
	if n := l.counters().Retries; n == 0 {
		t.Error("no request was for the dead backend")
	}
}

func TestRandomIsServedByAll(t *testing.T) {
	l := newBed(t, answering(t, 3), policy("random", lbcore.HashConfig{}))
	seen := map[string]bool{}
	for range 100 {
		seen[l.askFor("/", "")] = true
	}
	if len(seen) != 3 {
		t.Errorf("100 requests were answered by %v only", seen)
	}
}
