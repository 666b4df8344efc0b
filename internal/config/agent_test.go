package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/lbcore/check"
)

func TestAnAgentNeedsNoFile(t *testing.T) {
	a, err := LoadAgent("", AgentFlags{
		Pools: []string{"web", "api"}, Ports: []string{"3000", "3001"}, Weights: []string{"50"}, Checks: []string{"/healthz", "tcp"},
		Name: "s1", Join: []string{"192.168.42.42"}, Tags: []string{"zone=a"}, Gossip: "127.0.0.1:0", Advertise: "127.0.0.1",
		CheckInterval: "200ms", Fall: "5", Command: []string{"node", "server.js"}, Restart: "on-failure", RestartLimit: "3",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Apps) != 2 || len(a.Processes) != 1 {
		t.Fatalf("got %+v", a)
	}
	byHTTP := Check{Question: check.Question{Kind: check.HTTP, Method: "GET", Path: "/healthz", Status: check.Statuses{{200, 399}}}, Interval: 200 * time.Millisecond, Timeout: time.Second, Rise: 2, Fall: 5}
	if diff := cmp.Diff(App{Pool: "web", Port: 3000, Weight: 50, Process: "app", Check: byHTTP}, a.Apps[0], compare); diff != "" {
		t.Error(diff)
	}
	if b := a.Apps[1]; b.Pool != "api" || b.Port != 3001 || b.Weight != 50 || b.Process != "app" || b.Check.Kind != check.TCP {
		t.Errorf("the second app is %+v", b)
	}
	want := Process{
		Name: "app", Command: []string{"node", "server.js"}, Restart: RestartOnFailure, Limit: 3,
		MinBackoff: 100 * time.Millisecond, MaxBackoff: 30 * time.Second, StopTimeout: 10 * time.Second,
	}
	if diff := cmp.Diff(want, a.Processes[0]); diff != "" {
		t.Error(diff)
	}
	if a.Name != "s1" || a.Tags["zone"] != "a" || a.Gossip != netip.MustParseAddrPort("127.0.0.1:0") || a.DrainTime != 20*time.Second {
		t.Errorf("got %+v", a)
	}
}

func TestACheckSpeaksTLSWhereAnythingIsSaidAboutIt(t *testing.T) {
	given := func(f AgentFlags) *PoolTLS {
		t.Helper()
		f.Name, f.Pools, f.Ports = "s1", []string{"web"}, []string{"3000"}
		a, err := LoadAgent("", f)
		if err != nil {
			t.Fatal(err)
		}
		return a.Apps[0].Check.TLS
	}
	if got := given(AgentFlags{Checks: []string{"/"}}); got != nil {
		t.Errorf("nothing is said, and it speaks TLS: %+v", got)
	}
	if got := given(AgentFlags{Checks: []string{"/"}, CheckTLS: true}); got == nil || !got.Verify || got.ServerName != "" {
		t.Errorf("--check-tls makes %+v", got)
	}
	if got := given(AgentFlags{CheckServerName: "web.example.com"}); got == nil || !got.Verify || got.ServerName != "web.example.com" {
		t.Errorf("--check-server-name makes %+v", got)
	}
}

func TestAFlagStandsInThePlaceOfTheFilesKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.toml")
	text := `
[agent]
drain_time = "5s"
[cluster]
join = ["lb1"]
gossip_key_file = "gossip.key"
keyring = "ring"
snapshot = "/var/lib/x"
[[app]]
pool = "web"
port = 3000
[process.forwarder]
command = ["vector"]
`
	for name, content := range map[string]string{path: text, filepath.Join(dir, "gossip.key"): testKeys["gossip.key"]} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := LoadAgent(path, AgentFlags{Join: []string{"lb2", "lb3"}, DrainTime: "1s", Snapshot: "here", Command: []string{"node"}, Syslog: "tcp://logs"})
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if a.Name != host+"-3000" || a.DrainTime != time.Second || strings.Join(a.Join, " ") != "lb2 lb3" || len(a.Keys) != 1 {
		t.Errorf("got %+v", a)
	}
	if a.Keyring != filepath.Join(dir, "ring") || a.Snapshot != "here" {
		t.Errorf("a path in the file begins beside it, one of a flag does not: %s, %s", a.Keyring, a.Snapshot)
	}
	if len(a.Processes) != 2 || a.Apps[0].Process != "app" || a.Syslog.Address != "logs:514" || a.Syslog.Facility != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestFlagsThatContradictTheFileOrEachOtherAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.toml")
	if err := os.WriteFile(path, []byte("[[app]]\npool = \"web\"\nport = 3000\n[process.app]\ncommand = [\"node\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path  string
		flags AgentFlags
		want  string
	}{
		{path, AgentFlags{Command: []string{"node"}}, "there is a command after --, too"},
		{path, AgentFlags{Pools: []string{"api"}, Ports: []string{"1"}}, "apps are given by the flags --pool and --port, too"},
		{path, AgentFlags{Weights: []string{"7"}}, "--weight: is for an app given by --pool"},
		{path, AgentFlags{Restart: "never"}, "--restart: is for the command after --"},
		{path + "x", AgentFlags{}, "cannot read the agent's configuration"},
		{"", AgentFlags{}, "names no app to announce"},
		{"", AgentFlags{Ports: []string{"3000"}}, "--pool: is needed beside --port"},
		{"", AgentFlags{Pools: []string{"web"}}, "--port: is needed beside --pool\n       say where the app listens: --port 3000"},
		{"", AgentFlags{Pools: []string{"web", "api"}, Ports: []string{"1", "2", "3"}}, "--pool: is given 2 times, beside 3 times --port"},
		{"", AgentFlags{Pools: []string{"web"}, Ports: []string{"70000"}}, "--port 70000"},
		{"", AgentFlags{Pools: []string{"web"}, Ports: []string{"80"}, Advertise: "lb1"}, `"lb1" is not an IP address`},
	} {
		a, err := LoadAgent(tc.path, tc.flags)
		var errs Errors
		if a != nil || !errors.As(err, &errs) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: got %v, want %q", tc.flags, err, tc.want)
		}
	}
}

// Whatever the text: no panic; either a whole configuration or errors.
func FuzzParseAgent(f *testing.F) {
	f.Add(AgentReference)
	for _, file := range []string{"contradictions", "nothing"} {
		text, err := os.ReadFile("testdata/agent/" + file + ".toml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAgent("fuzz.toml", []byte(text), readTestKey)
		if err != nil {
			var errs Errors
			if a != nil || !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%v beside %#v", err, a)
			}
			return
		}
		names := map[string]bool{"": true}
		for _, p := range a.Processes {
			names[p.Name] = true
			if len(p.Command) == 0 {
				t.Errorf("a process without command: %+v", p)
			}
		}
		for _, app := range a.Apps {
			if app.Pool == "" || app.Port == 0 || !names[app.Process] {
				t.Errorf("an app without pool, port or process: %+v", app)
			}
		}
	})
}
