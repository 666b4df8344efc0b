package api_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/api"
)

func serve(t *testing.T, status func() api.Status) string {
	t.Helper()
	return serveAll(t, &api.Server{Status: status})
}

func serveAll(t *testing.T, s *api.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v after its context ended, want nil", err)
		}
	})
	return path
}

func TestStatusCrossesTheSocketUnchanged(t *testing.T) {
	want := api.Status{
		Node: "lb1", At: time.Date(2026, 11, 22, 18, 0, 0, 5, time.UTC), KeeperAge: time.Second,
		Groups: []api.Group{{
			Name: "vip", VIPs: []netip.Addr{netip.MustParseAddr("192.168.42.42")}, State: "active", Epoch: 7,
			Peers: []api.Peer{{Node: "lb2", HeardAgo: 3 * time.Millisecond}},
		}},
		Members: []api.Member{{Name: "web1", Role: "agent", Apps: []api.App{{Pool: "web", Addr: netip.MustParseAddrPort("192.168.42.21:3000")}}}},
	}
	c := api.NewClient(serve(t, func() api.Status { return want }))
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	samePort := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want, got, same, samePort); diff != "" {
		t.Errorf("status changed on its way (-sent +received):\n%s", diff)
	}
	members, err := c.Members(t.Context(), "")
	if err != nil || len(members) != 1 || members[0].Name != "web1" {
		t.Errorf("Members() = %v, %v; want the one of the status", members, err)
	}
}

func TestAnUnreachableBalancerIsNamedWithARemedy(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for _, path := range []string{filepath.Join(dir, "none.sock"), dead} {
		_, err := api.NewClient(path).Status(t.Context())
		if !errors.Is(err, api.ErrUnreachable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "tandem lb") {
			t.Errorf("Status() = %v; want ErrUnreachable naming %s and 'tandem lb'", err, path)
		}
	}
}

func TestAnUnknownPathIsAnErrorObject(t *testing.T) {
	path := serve(t, func() api.Status { return api.Status{} })
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Post("http://tandem/v1/status", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("POST /v1/status: %s, %s; want 404 and JSON", resp.Status, resp.Header.Get("Content-Type"))
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestAnOrderIsCarriedOutOrRefusedWithTheRemedy(t *testing.T) {
	var refuse error
	c := api.NewClient(serveAll(t, &api.Server{ReplaceProxy: func(context.Context, string) (api.Done, error) {
		return api.Done{Message: "replaced"}, refuse
	}}))
	if done, err := c.ReplaceProxy(t.Context(), ""); err != nil || done.Message != "replaced" {
		t.Errorf("ReplaceProxy() = %v, %v", done, err)
	}
	refuse = &api.Error{Message: "one is under way", Remedy: "wait"}
	var e *api.Error
	if _, err := c.ReplaceProxy(t.Context(), ""); !errors.As(err, &e) || e.Message != "one is under way" || e.Remedy != "wait" {
		t.Errorf("refused, ReplaceProxy() returns %v, want the reason and the remedy", err)
	}
	refuse = errors.New("broken")
	if _, err := c.ReplaceProxy(t.Context(), ""); !errors.As(err, &e) || e.Message != "broken" {
		t.Errorf("broken, ReplaceProxy() returns %v, want the error", err)
	}
}

func TestAnOrderWithABodyIsCarriedOutAndABadBodyIsNot(t *testing.T) {
	var got api.KeyOrder
	path := serveAll(t, &api.Server{Keys: func(_ context.Context, o api.KeyOrder) (api.Keys, error) {
		got = o
		return api.Keys{Added: "ab", Error: "not s1"}, nil
	}})
	k, err := api.NewClient(path).Keys(t.Context(), api.KeyOrder{Do: "add", Key: []byte{0, 1, 0xff}})
	if err != nil || k.Added != "ab" || k.Error != "not s1" || got.Do != "add" || string(got.Key) != "\x00\x01\xff" {
		t.Errorf("Keys() = %+v, %v; the server got %+v", k, err, got)
	}
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	defer tr.CloseIdleConnections()
	got = api.KeyOrder{}
	for _, body := range []string{"", "[]", `{"do":"list"`, `{"do":"` + strings.Repeat("x", 64<<10) + `"}`} {
		resp, err := (&http.Client{Transport: tr}).Post("http://tandem/v1/keys", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || got.Do != "" {
			t.Errorf("a body of %d bytes: %s, and the server got %+v", len(body), resp.Status, got)
		}
	}
}
