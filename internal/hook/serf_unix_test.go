//go:build unix

package hook_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
	"github.com/tandem-lb/tandem/internal/testneed"
)

// handle runs a handler of Serf's as a hook of format serf does.
func handle(t *testing.T, script, cfg string, e hook.Event) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "serf", script))
	if err != nil {
		t.Fatal(err)
	}
	in := input(t, e, hook.Serf, hook.Self{Name: "lb1"})
	r := hook.Run(t.Context(), hook.Program{
		Argv: []string{"/bin/bash", path, cfg}, Env: append(in.Env, hook.Path), Stdin: in.Stdin, Timeout: 20 * time.Second,
	})
	if err := r.Error(); err != nil {
		t.Fatal(err)
	}
	return r.Output
}

func TestHandlersThatWereWrittenForSerfRunAsTheyAre(t *testing.T) {
	for _, tool := range []string{"bash", "awk", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			testneed.Missing(t, "%s: apt-get install bash mawk sed", tool)
		}
	}
	cfg := filepath.Join(t.TempDir(), "haproxy.cfg")
	const head = "listen http-in\n    bind *:80\n    balance roundrobin\n"
	if err := os.WriteFile(cfg, []byte(head), 0o644); err != nil {
		t.Fatal(err)
	}
	want := func(servers string) {
		t.Helper()
		got, err := os.ReadFile(cfg)
		if err != nil || string(got) != head+servers {
			t.Errorf("the file is\n%s(%v), want after its head\n%s", got, err, servers)
		}
	}

	join := joins("web1", "web2")
	join.Members[1] = member("web2", "10.0.0.22", nil)
	join.Members = append(join.Members, hook.Member{Name: "lb2", Role: "balancer", Addr: join.Members[0].Addr})
	out := handle(t, "join.sh", cfg, join)
	if out != "member-join on lb1: web1\nmember-join on lb1: web2" {
		t.Errorf("the handler said %q", out)
	}
	want("    server web1 10.0.0.21:80 check\n    server web2 10.0.0.22:80 check\n")

	if out := handle(t, "leave.sh", cfg, leaves("web1")); !strings.HasPrefix(out, "member-leave: web1 10.0.0.21 ") {
		t.Errorf("the handler said %q", out)
	}
	want("    server web2 10.0.0.22:80 check\n")

	handle(t, "join.sh", cfg, joins("web1"))
	want("    server web2 10.0.0.22:80 check\n    server web1 10.0.0.21:80 check\n")
}
