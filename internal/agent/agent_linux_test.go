package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// appEnv makes the test binary the app that is supervised: its value is how it behaves.
const appEnv = "TANDEM_AGENT_TEST_APP"

func TestMain(m *testing.M) {
	if how := os.Getenv(appEnv); how != "" {
		os.Exit(app(how))
	}
	if how := os.Getenv(agentEnv); how != "" {
		os.Exit(agentMain(how))
	}
	os.Exit(m.Run())
}

// app serves /crash, /unwell, /well, /health, /pid on $PORT and ends with code 7 on SIGTERM, unless how says "plain"
// (then SIGTERM kills it) or "stubborn" (then it does not care). Each other signal is printed.
func app(how string) int {
	unwell := false
	var mu sync.Mutex
	mux := http.NewServeMux()
	set := func(to bool) http.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) { mu.Lock(); unwell = to; mu.Unlock() }
	}
	mux.HandleFunc("/unwell", set(true))
	mux.HandleFunc("/well", set(false))
	mux.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if unwell {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if how != "plain" {
		ch := make(chan os.Signal, 8)
		signal.Notify(ch, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
		go func() {
			for sig := range ch {
				fmt.Println("app got", sig)
				if sig == syscall.SIGTERM && how != "stubborn" {
					os.Exit(7)
				}
			}
		}()
	}
	fmt.Println("app begins")
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux)
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// proofKey is the balancer's.
var proofKey = config.ProofKey(make([]byte, 32))

// fixture is one balancer and one agent on loopback.
type fixture struct {
	t        *testing.T
	balancer *membership.Cluster
	requests atomic.Int64 // that the balancer says are under way
	asked    atomic.Int64 // questions about them
	port     uint16
	dir      string
	signals  chan os.Signal
	out      *syncBuffer
	code     chan int
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// gossipKey is what everybody here holds.
var gossipKey = []byte("0123456789abcdef")

// start runs a balancer and an agent with the test binary as its app, behaving as how says; "" means no command.
func start(t *testing.T, how string, change func(*fixture, *agent.Config)) *fixture {
	t.Helper()
	return startWith(t, [][]byte{gossipKey}, how, change)
}

func startWith(t *testing.T, keys [][]byte, how string, change func(*fixture, *agent.Config)) *fixture {
	t.Helper()
	f := &fixture{
		t: t, port: testneed.FreePort(t), signals: make(chan os.Signal, 8), out: &syncBuffer{}, code: make(chan int, 1), dir: t.TempDir(),
	}
	balancer, err := membership.Open(membership.Config{
		Name: "lb1", Bind: netip.MustParseAddrPort("127.0.0.1:0"),
		Meta: membership.Meta{Role: membership.RoleBalancer}, Log: logTo(f.out), Answer: f.answer, Keys: keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.balancer = balancer
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = balancer.Run(ctx) })
	wg.Go(func() {
		for range balancer.Events() {
		}
	})
	self := balancer.Self()
	flags := config.AgentFlags{
		Name: "s1", Pools: []string{"web"}, Ports: []string{strconv.Itoa(int(f.port))}, Gossip: "127.0.0.1:0",
		Join:   []string{netip.AddrPortFrom(self.Addr, self.Port).String()},
		Checks: []string{"/health"}, CheckInterval: "50ms", Rise: "1", Fall: "2",
	}
	if how != "" {
		flags.Command = []string{"/usr/bin/env", appEnv + "=" + how, "PORT=" + flags.Ports[0], os.Args[0]}
	}
	parsed, err := config.LoadAgent("", flags)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Keys = keys
	parsed.Balancers = []ed25519.PublicKey{proofKey.Public().(ed25519.PublicKey)}
	cfg := agent.Config{Agent: *parsed, Log: logTo(f.out), Stdout: f.out, Stderr: f.out}
	if change != nil {
		change(f, &cfg)
	}
	for i := range cfg.Processes {
		cfg.Processes[i].MinBackoff, cfg.Processes[i].MaxBackoff = 20*time.Millisecond, 500*time.Millisecond
	}
	agentCtx, stopAgent := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		code, err := agent.Run(agentCtx, cfg, f.signals)
		if err != nil {
			t.Errorf("agent: %v", err)
		}
		f.code <- code
	})
	t.Cleanup(func() {
		stopAgent()
		running.Wait() // while there is somebody who answers its goodbye
		cancel()
		balancer.Close()
		wg.Wait()
		if t.Failed() {
			t.Log(f.out.String())
		}
	})
	return f
}

// answer is the balancer's word about what is under way.
func (f *fixture) answer(_ membership.Member, question []byte) ([]byte, error) {
	if q, err := talk.ParseQuestion(question); err != nil || q.InFlight == nil {
		return nil, fmt.Errorf("not a question about requests: %q, %w", question, err)
	}
	f.asked.Add(1)
	return talk.Encode(talk.InFlight{Requests: int(f.requests.Load())})
}

// await waits for cond, for as long as a busy machine may need.
func (f *fixture) await(what string, cond func() bool) {
	f.t.Helper()
	for end := time.Now().Add(15 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("not seen: %s\n%s", what, f.out)
		}
	}
}

// agentSeen returns what the balancer knows of the agent.
func (f *fixture) agentSeen() membership.Member {
	for _, m := range f.balancer.Members() {
		if m.Name == "s1" {
			return m
		}
	}
	return membership.Member{}
}

// app returns what the agent announces of its first app.
func (f *fixture) app() membership.App {
	if apps := f.agentSeen().Meta.Apps; len(apps) > 0 {
		return apps[0]
	}
	return membership.App{}
}

func (f *fixture) announced() bool { return f.app().Addr.IsValid() }

func (f *fixture) get(path string) string {
	f.t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", f.port, path))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

func (f *fixture) exit(want int) {
	f.t.Helper()
	select {
	case code := <-f.code:
		if code != want {
			f.t.Errorf("exit code %d, want %d", code, want)
		}
	case <-time.After(15 * time.Second):
		f.t.Fatal("the agent does not end")
	}
}

func TestAnAppIsAnnouncedWhenItsCheckPassesAndDrainedBeforeItIsStopped(t *testing.T) {
	snapshot := filepath.Join(t.TempDir(), "members")
	f := start(t, "polite", func(_ *fixture, cfg *agent.Config) { cfg.Snapshot = snapshot })
	f.requests.Store(2)
	f.await("the app is announced", f.announced)
	m := f.app()
	if want := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), f.port); m.Addr != want || m.Pool != "web" || m.Weight != 100 {
		t.Errorf("announced is %+v", m)
	}
	f.signals <- syscall.SIGTERM
	f.await("drain is announced while the app serves", func() bool {
		m := f.app()
		return m.Drain && m.Addr.IsValid() && f.asked.Load() >= 3 && f.get("/pid") != ""
	})
	f.requests.Store(0)
	f.exit(7)
	f.await("the agent has left", func() bool { return f.agentSeen().State == membership.StateLeft })
	self := f.balancer.Self()
	if b, err := os.ReadFile(snapshot); !strings.Contains(string(b), netip.AddrPortFrom(self.Addr, self.Port).String()) {
		t.Errorf("the snapshot left for the next run does not name the balancer: %q, %v", b, err)
	}
}

func TestAnAgentThatIsToldToLeaveEndsAsOnSIGTERM(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	f := start(t, "polite", func(_ *fixture, cfg *agent.Config) { cfg.Socket = path })
	f.requests.Store(1)
	f.await("the app is announced", f.announced)
	if code, body := f.unix(path, "POST", "/v1/leave", ""); code != 200 || !strings.Contains(body, `"stage":"draining"`) {
		t.Errorf("leave: %d %s", code, body)
	}
	f.await("it drains", func() bool { return f.app().Drain && f.asked.Load() >= 2 && f.get("/pid") != "" })
	if code, _ := f.unix(path, "POST", "/v1/leave", ""); code != 200 {
		t.Errorf("leave, said again: %d", code)
	}
	f.signals <- syscall.SIGTERM // as a supervisor might send; it is the first one
	f.await("it still waits", func() bool { return f.asked.Load() >= 4 && f.get("/pid") != "" })
	f.requests.Store(0)
	f.exit(7)
	f.await("the agent has left", func() bool { return f.agentSeen().State == membership.StateLeft })
}

func TestAnAppThatIsUnwellIsUnannouncedUntilItIsWellAgain(t *testing.T) {
	f := start(t, "polite", nil)
	f.await("the app is announced", f.announced)
	f.get("/unwell")
	f.await("it is announced no more", func() bool { return !f.announced() })
	f.get("/well")
	f.await("it is announced again", f.announced)
}

func TestACommandThatEndsIsUnannouncedAndStartedAgain(t *testing.T) {
	f := start(t, "polite", nil)
	f.await("the app is announced", f.announced)
	for range 3 {
		before := f.get("/pid")
		f.get("/crash")
		f.await("another run is announced", func() bool {
			now := f.get("/pid")
			return now != "" && now != before && f.announced()
		})
	}
	if n := strings.Count(f.out.String(), "ended by itself"); n != 3 {
		t.Errorf("%d ends logged, want 3", n)
	}
}

func TestSignalsReachTheApp(t *testing.T) {
	f := start(t, "polite", nil)
	f.await("the app is announced", f.announced)
	f.signals <- syscall.SIGHUP
	f.signals <- syscall.SIGUSR1
	f.await("both are printed by the app", func() bool {
		out := f.out.String()
		return strings.Contains(out, "app got hangup\n") && strings.Contains(out, "app got user defined signal 1\n")
	})
}

func TestAnAppThatEndsByOurSignalIsNoFailure(t *testing.T) {
	f := start(t, "plain", nil)
	f.await("the app is announced", f.announced)
	f.signals <- syscall.SIGTERM
	f.exit(0)
}

func TestAnAppThatIgnoresSIGTERMIsKilledWhenItsGraceIsOver(t *testing.T) {
	f := start(t, "stubborn", func(_ *fixture, cfg *agent.Config) { cfg.Processes[0].StopTimeout = 50 * time.Millisecond })
	f.await("the app is announced", f.announced)
	f.signals <- syscall.SIGTERM
	f.exit(0)
}

func TestASecondSIGTERMEndsAtOnce(t *testing.T) {
	f := start(t, "stubborn", func(f *fixture, cfg *agent.Config) {
		cfg.Processes[0].StopTimeout, cfg.DrainTime = time.Hour, time.Hour
		f.requests.Store(1)
	})
	f.await("the app is announced", f.announced)
	f.signals <- syscall.SIGTERM
	f.await("draining has begun", func() bool { return f.app().Drain })
	f.signals <- syscall.SIGTERM
	f.exit(128 + 15)
	if f.get("/pid") != "" {
		t.Error("the app still runs")
	}
}

func TestAnAppThatRunsAlreadyIsAnnouncedWithoutACommand(t *testing.T) {
	f := start(t, "", func(_ *fixture, cfg *agent.Config) { cfg.Apps[0].Check.Kind = check.TCP })
	f.await("the agent has joined", func() bool { return f.agentSeen().State == membership.StateAlive })
	if f.announced() {
		t.Error("announced before there is an app")
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", f.port))
	if err != nil {
		t.Fatal(err)
	}
	f.await("the app is announced", f.announced)
	l.Close()
	f.await("it is announced no more", func() bool { return !f.announced() })
	f.signals <- syscall.SIGINT
	f.exit(0)
}

func TestTheDrainTimeBoundsTheWaitForTheBalancers(t *testing.T) {
	f := start(t, "polite", func(f *fixture, cfg *agent.Config) {
		cfg.DrainTime = 300 * time.Millisecond
		f.requests.Store(1)
	})
	f.await("the app is announced", f.announced)
	f.signals <- syscall.SIGTERM
	f.exit(7)
	if out := f.out.String(); !strings.Contains(out, "the drain time is over") {
		t.Errorf("it does not say so:\n%s", out)
	}
}
