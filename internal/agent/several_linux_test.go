package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/agent"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/internal/testneed"
	"github.com/tandem-lb/tandem/lbcore/check"
	"github.com/tandem-lb/tandem/membership"
)

// shell is a process that runs a shell script.
func shell(name, script string) config.Process {
	return config.Process{Name: name, Command: []string{"/bin/sh", "-c", script}, Restart: config.RestartAlways, StopTimeout: time.Hour}
}

func TestProcessesStartWhenThoseBeforeThemAreReadyAndEndInReverse(t *testing.T) {
	ready := testneed.FreePort(t)
	f := start(t, "polite", func(_ *fixture, cfg *agent.Config) {
		log := shell("log", `trap 'echo log ends; exit 0' TERM; printf '%0600d\n' 7; while :; do sleep 0.01; done`)
		log.Ready, log.ReadyPort = &config.Check{Timeout: time.Second}, ready
		cfg.Processes[0].After = []string{"log"}
		cfg.Processes = append(cfg.Processes, log)
		cfg.Agent.Log.Prefix, cfg.Agent.Log.MaxLine = "auto", 256
	})
	zeros := strings.Repeat("0", 256)
	f.await("long lines come in pieces, and with the process's name", func() bool {
		return strings.Contains(f.out.String(), "[log] "+zeros+"\n[log] "+zeros+"\n[log] "+zeros[:87]+"7\n")
	})
	if strings.Contains(f.out.String(), "app begins") {
		t.Error("the app was started before the log was ready")
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ready))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.await("the app is announced", f.announced)
	if !strings.Contains(f.out.String(), "[app] app begins\n") {
		t.Errorf("the app's line is missing in\n%s", f.out)
	}
	f.signals <- syscall.SIGTERM
	f.exit(7)
	out := f.out.String()
	if app, log := strings.Index(out, "[app] app got terminated"), strings.Index(out, "[log] log ends"); app < 0 || log < app {
		t.Errorf("the app ends at %d, the log at %d of\n%s", app, log, out)
	}
}

func TestTheAgentEndsWithTheCodeOfAnAppThatIsNotStartedAgain(t *testing.T) {
	for _, tc := range []struct {
		restart config.Restart
		limit   int
		runs    int
	}{{config.RestartNever, 0, 1}, {config.RestartOnFailure, 2, 3}} {
		t.Run(string(tc.restart), func(t *testing.T) {
			f := start(t, "polite", func(_ *fixture, cfg *agent.Config) {
				cfg.Processes[0].Restart, cfg.Processes[0].Limit = tc.restart, tc.limit
				cfg.Processes = append(cfg.Processes, shell("beside", "exec sleep 1000"))
				cfg.Agent.Log.Prefix = "never"
			})
			for run := range tc.runs {
				f.await("it is announced", func() bool { return f.announced() && strings.Count(f.out.String(), "app begins") == run+1 })
				f.get("/crash")
				f.await("it is announced no more", func() bool { return !f.announced() })
			}
			f.exit(3)
			f.await("the agent has left", func() bool { return f.agentSeen().State == membership.StateLeft })
		})
	}
}

func TestSeveralAppsOfOneAgentAreAnnouncedEachByItsOwnCheck(t *testing.T) {
	other := testneed.FreePort(t)
	f := start(t, "polite", func(_ *fixture, cfg *agent.Config) {
		second := cfg.Apps[0]
		second.Pool, second.Port, second.Weight, second.Process, second.Check.Kind = "admin", other, 7, "", check.TCP
		cfg.Apps = append(cfg.Apps, second)
	})
	apps := func() string {
		var all []string
		for _, a := range f.agentSeen().Meta.Apps {
			all = append(all, fmt.Sprintf("%s@%d*%d", a.Pool, a.Addr.Port(), a.Weight))
		}
		return strings.Join(all, " ")
	}
	f.await("the first alone", func() bool { return apps() == fmt.Sprintf("web@%d*100 admin@0*7", f.port) })
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", other))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.await("both", func() bool { return apps() == fmt.Sprintf("web@%d*100 admin@%d*7", f.port, other) })
	f.get("/unwell")
	f.await("the second alone", func() bool { return apps() == fmt.Sprintf("web@0*100 admin@%d*7", other) })
	if id := f.agentSeen().AppID(1); id != fmt.Sprintf("s1:%d", other) {
		t.Errorf("the second is called %s", id)
	}
}

// unix talks to the agent's socket.
func (f *fixture) unix(path, method, url, body string) (int, string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	req, err := http.NewRequest(method, "http://agent"+url, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestTheAppCanChangeItsWeightAndDrainOnASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close() // as an agent leaves it that was killed
	f := start(t, "polite", func(f *fixture, cfg *agent.Config) {
		cfg.Socket = path
		cfg.Processes = append(cfg.Processes, shell("beside", `echo "socket at $TANDEM_SOCKET"; exec sleep 1000`))
	})
	f.await("the app is announced", f.announced)
	f.await("processes are told where it is", func() bool { return strings.Contains(f.out.String(), "socket at "+path) })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
	if code, body := f.unix(path, "POST", "/v1/weight", `{"weight": 7}`); code != 200 || !strings.Contains(body, `"weight":7`) {
		t.Errorf("weight: %d %s", code, body)
	}
	f.await("the weight is announced", func() bool { return f.app().Weight == 7 })
	f.unix(path, "POST", "/v1/drain", fmt.Sprintf(`{"port": %d}`, f.port))
	f.await("it drains", func() bool { return f.app().Drain })
	f.unix(path, "POST", "/v1/ready", "")
	f.await("it is ready again", func() bool { return !f.app().Drain && f.app().Weight == 7 })
	for _, bad := range [][2]string{
		{"/v1/weight", `{"weight": 300}`},
		{"/v1/weight", ""},
		{"/v1/drain", `{"port": 1}`},
		{"/v1/drain", "{"},
		{"/v1/drain", `{"port": 1` + strings.Repeat(" ", 5000) + "}"},
	} {
		if code, body := f.unix(path, "POST", bad[0], bad[1]); code != 400 || !strings.Contains(body, "remedy") {
			t.Errorf("%.40q: %d %s", bad, code, body)
		}
	}
	if code, _ := f.unix(path, "GET", "/v1/nothing", ""); code != 404 {
		t.Errorf("an unknown path: %d", code)
	}
	_, body := f.unix(path, "GET", "/v1/status", "")
	var s agent.Status
	if err := json.Unmarshal([]byte(body), &s); err != nil || s.Stage != "serving" || len(s.Processes) != 2 || s.Processes[0].PID == 0 || !s.Apps[0].Well {
		t.Errorf("status is %s, %v", body, err)
	}
	parsed, err := config.LoadAgent("", config.AgentFlags{Pools: []string{"web"}, Ports: []string{strconv.Itoa(int(f.port))}, Socket: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Run(t.Context(), agent.Config{Agent: *parsed}, nil); err == nil || !strings.Contains(err.Error(), "another agent listens") {
		t.Errorf("a second agent on one socket: %v", err)
	}
}

// ask has from ask the agent; a log with the proof that this is the balancer lb1.
func ask(t *testing.T, from *membership.Cluster, q talk.Question, into any) error {
	t.Helper()
	if q.Log != nil {
		var first talk.Log
		if err := askUnproven(t, from, q, &first); err != nil {
			return err
		}
		if len(first.Challenge) == 0 || len(first.Lines) > 0 || first.Next > 0 {
			t.Errorf("without a proof it says %+v", first)
		}
		q.Log.Challenge = first.Challenge
		if err := q.Log.Sign(proofKey, "lb1", "s1"); err != nil {
			t.Fatal(err)
		}
	}
	return askUnproven(t, from, q, into)
}

func askUnproven(t *testing.T, from *membership.Cluster, q talk.Question, into any) error {
	t.Helper()
	b, err := talk.Encode(q)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := from.Ask(t.Context(), "s1", b)
	if err != nil {
		return err
	}
	return talk.ParseAnswer(answer, into)
}

func TestABalancerReadsTheAgentsLog(t *testing.T) {
	f := start(t, "", func(_ *fixture, cfg *agent.Config) {
		cfg.Processes = []config.Process{shell("app", `i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo "line $i of one hundred bytes or so, as most lines are that web apps print, and here it ends"; done; echo end; exec sleep 1000`)}
	})
	f.await("all 2001 lines are kept", func() bool {
		var page talk.Log
		return ask(t, f.balancer, talk.Question{Log: &talk.LogQuestion{Last: 1, Process: "app"}}, &page) == nil &&
			len(page.Lines) == 1 && page.Lines[0].Text == "end"
	})
	var got []talk.Line
	next := talk.LogQuestion{Last: 1500, Process: "app"}
	for pages := 1; ; pages++ {
		var page talk.Log
		if err := ask(t, f.balancer, talk.Question{Log: &next}, &page); err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Lines...)
		next = talk.LogQuestion{Run: page.Run, After: page.Next, Process: "app"}
		if !page.More {
			if pages < 3 {
				t.Errorf("1500 lines came on %d pages", pages)
			}
			break
		}
	}
	for i, l := range got { // the agent's own lines may stand between them
		want := fmt.Sprintf("line %d of", 2001-len(got)+i+1)
		if i == len(got)-1 {
			want = "end"
		}
		if i > 0 && l.Seq <= got[i-1].Seq || l.Process != "app" || !strings.HasPrefix(l.Text, want) {
			t.Fatalf("line %d is %+v, want %q from the app", i, l, want)
		}
	}
	if len(got) < 1000 || len(got) > 1500 {
		t.Errorf("%d lines, want as many of the newest 1500 as 256 KiB hold", len(got))
	}
	f.await("the agent's own lines stand with them", func() bool {
		var page talk.Log
		err := ask(t, f.balancer, talk.Question{Log: &talk.LogQuestion{Last: 100, Process: "tandem"}}, &page)
		return err == nil && slices.ContainsFunc(page.Lines, func(l talk.Line) bool {
			return strings.HasPrefix(l.Text, "level=") && !strings.Contains(l.Text, "time=")
		})
	})
	if err := ask(t, f.balancer, talk.Question{InFlight: &talk.InFlightQuestion{}}, nil); err == nil || !strings.Contains(err.Error(), "a question for a balancer") {
		t.Errorf("of what is under way: %v", err)
	}
}

func TestALogIsToldToNobodyWhoOnlySaysThatItIsABalancer(t *testing.T) {
	f := start(t, "polite", nil)
	f.await("the app is announced", f.announced)
	var page talk.Log
	q := talk.LogQuestion{Last: 10, Challenge: []byte("guessed"), Proof: []byte("forged")}
	if err := askUnproven(t, f.balancer, talk.Question{Log: &q}, &page); err != nil || len(page.Challenge) == 0 || len(page.Lines) > 0 {
		t.Errorf("with a forged proof it says %+v, %v", page, err)
	}
	stranger := config.ProofKey(gossipKey)
	q.Challenge = page.Challenge
	if err := q.Sign(stranger, "lb1", "s1"); err != nil {
		t.Fatal(err)
	}
	page = talk.Log{}
	if err := askUnproven(t, f.balancer, talk.Question{Log: &q}, &page); err != nil || len(page.Challenge) == 0 || len(page.Lines) > 0 {
		t.Errorf("with the gossip key's proof it says %+v, %v", page, err)
	}
}

func TestALogIsToldIfTheAgentTrustsEverybodyOrToNobodyWithoutAPublicKey(t *testing.T) {
	trusting := start(t, "polite", func(_ *fixture, cfg *agent.Config) { cfg.Agent.Log.ReadByAnyone = true })
	trusting.await("the app is announced", trusting.announced)
	trusting.await("its first line is told", func() bool {
		var page talk.Log
		return askUnproven(t, trusting.balancer, talk.Question{Log: &talk.LogQuestion{Last: 10}}, &page) == nil && len(page.Lines) > 0
	})
	ignorant := start(t, "polite", func(_ *fixture, cfg *agent.Config) { cfg.Balancers = nil })
	ignorant.await("the app is announced", ignorant.announced)
	if err := askUnproven(t, ignorant.balancer, talk.Question{Log: &talk.LogQuestion{}}, nil); err == nil || !strings.Contains(err.Error(), "keygen --public") {
		t.Errorf("it says %v", err)
	}
}

func TestALogIsToldToNobodyWithoutTheKeyAndToNoAgent(t *testing.T) {
	f := startWith(t, nil, "polite", nil)
	f.await("the app is announced", f.announced)
	if err := ask(t, f.balancer, talk.Question{Log: &talk.LogQuestion{}}, nil); err == nil || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("without encryption: %v", err)
	}
	self := f.balancer.Self()
	other, err := membership.Open(membership.Config{
		Name: "s2", Bind: netip.MustParseAddrPort("127.0.0.1:0"), Seeds: []string{netip.AddrPortFrom(self.Addr, self.Port).String()},
		Meta: membership.Meta{Role: membership.RoleAgent}, Log: logTo(io.Discard),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = other.Run(ctx) }()
	defer func() { cancel(); other.Close(); <-ended }()
	go func() {
		for range other.Events() {
		}
	}()
	f.await("another agent knows the first, and is known", func() bool {
		var known bytes.Buffer
		for _, m := range other.Members() {
			known.WriteString(m.Name)
		}
		err := ask(t, other, talk.Question{Log: &talk.LogQuestion{}}, nil)
		return strings.Contains(known.String(), "s1") && err != nil && strings.Contains(err.Error(), "only a balancer")
	})
}
