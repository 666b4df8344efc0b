package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shell is a mover whose program is a shell script.
func shell(script string, timeout time.Duration) *mover {
	return &mover{
		argv: []string{"/bin/sh", "-c", script}, timeout: timeout, who: identityFor(moverName, moverUID),
		log: slog.New(slog.DiscardHandler),
		order: moverOrder{
			Group: "web", VIPs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
			Node: "lb1", Interface: "eth0", Address: netip.MustParseAddr("10.0.0.11"),
		},
	}
}

// open is a directory that any user may write to.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tandem-hook-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAHookIsToldWhatToDoAndHoldsNothing(t *testing.T) {
	dir := open(t)
	os.Setenv("TANDEM_SECRET", "must not be seen")
	defer os.Unsetenv("TANDEM_SECRET")
	m := shell(`cat > `+dir+`/order; env > `+dir+`/env; ls /proc/self/fd > `+dir+`/fd; cat /proc/$$/status > `+dir+`/status; pwd > `+dir+`/pwd`, 20*time.Second)
	began := time.Now()
	if err := m.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	var order moverOrder
	if err := json.Unmarshal([]byte(read(t, dir+"/order")), &order); err != nil {
		t.Fatal(err)
	}
	if order.Action != "claim" || order.Group != "web" || order.Node != "lb1" || len(order.VIPs) != 2 || order.Attempt != 1 ||
		order.Deadline.Before(began.Add(19*time.Second)) {
		t.Errorf("standard input says %+v", order)
	}
	env := read(t, dir+"/env")
	for _, want := range []string{
		"TANDEM_ACTION=claim\n", "TANDEM_GROUP=web\n", "TANDEM_VIPS=192.0.2.1 2001:db8::1\n", "TANDEM_NODE=lb1\n",
		"TANDEM_INTERFACE=eth0\n", "TANDEM_ADDRESS=10.0.0.11\n",
	} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment lacks %q:\n%s", want, env)
		}
	}
	if strings.Contains(env, "SECRET") {
		t.Errorf("the environment is inherited:\n%s", env)
	}
	if fds := strings.Fields(read(t, dir+"/fd")); !slices.Equal(fds, []string{"0", "1", "2", "3"}) { // the last is ls's own
		t.Errorf("descriptors %v, want the three and the folder that is being listed", fds)
	}
	status := read(t, dir+"/status")
	for _, key := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if got := field(status, key); strings.Trim(got, "0") != "" {
			t.Errorf("%s of the hook is %s, want none", key, got)
		}
	}
	if field(status, "NoNewPrivs") != "1" {
		t.Error("the hook could gain rights")
	}
	if got := read(t, dir+"/pwd"); got != "/\n" {
		t.Errorf("it runs in %q", got)
	}
}

func TestAHookThatFailsIsRepeatedUntilItSucceeds(t *testing.T) {
	dir := open(t)
	m := shell(`echo $TANDEM_ACTION >> `+dir+`/calls; test $(wc -l < `+dir+`/calls) -ge 3`, 20*time.Second)
	if err := m.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir+"/calls"); got != "release\nrelease\nrelease\n" {
		t.Errorf("it was called %q, want three times", got)
	}
}

func TestAHookIsGivenUpAtItsDeadlineAndItsErrorIsTold(t *testing.T) {
	began := time.Now()
	err := shell(`echo the API says no; exit 7`, 500*time.Millisecond).Claim(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the API says no") || !strings.Contains(err.Error(), "exit status 7") ||
		!strings.Contains(err.Error(), "hook_timeout") {
		t.Errorf("error %v; want what it said, how it ended, and the remedy", err)
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("given up after %v, before the deadline", took)
	}
}

func TestAHookThatHangsIsKilledWithItsChildren(t *testing.T) {
	dir := open(t)
	err := shell(`sleep 1000 & echo $! > `+dir+`/child; wait`, 300*time.Millisecond).Claim(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that its time was over", err)
	}
	child := strings.TrimSpace(read(t, dir+"/child"))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join("/proc", child, "stat"))
		if err != nil || strings.Contains(string(b), ") Z ") {
			return // gone, or dead and not yet collected by the system
		}
		if time.Now().After(end) {
			t.Fatalf("its child %s lives on", child)
		}
	}
}

func TestAHookThatWritesWithoutEndIsBounded(t *testing.T) {
	err := shell(`head -c 1000000 /dev/zero | tr '\0' x; exit 1`, 300*time.Millisecond).Claim(t.Context())
	if err == nil || len(err.Error()) > 8<<10 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}
