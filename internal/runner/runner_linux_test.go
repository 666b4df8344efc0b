package runner

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// bed is a runner in this process, with the ends that the keeper and control have.
type bed struct {
	t       *testing.T
	keeper  *ipc.Conn
	control *ipc.Conn
	ended   chan *ipc.HookEnded
	drawn   chan *ipc.Rendered
	ready   chan *ipc.Prepared
	done    chan error
}

func newBed(t *testing.T, hooks ...ipc.Program) *bed {
	t.Helper()
	b := &bed{t: t, ended: make(chan *ipc.HookEnded, 64), drawn: make(chan *ipc.Rendered, 64), ready: make(chan *ipc.Prepared, 64), done: make(chan error, 1)}
	mine, its := pair(t)
	b.keeper = conn(t, mine, func(m ipc.Message) {
		if m, ok := m.(*ipc.Prepared); ok {
			b.ready <- m
		}
	})
	go func() { b.done <- Run(its, new(slog.LevelVar), slog.New(slog.DiscardHandler)) }()
	b.send(b.keeper, &ipc.RunnerStart{Hooks: hooks})
	b.relink()
	return b
}

// relink is a new control process.
func (b *bed) relink() {
	b.t.Helper()
	mine, its := pair(b.t)
	b.control = conn(b.t, mine, func(m ipc.Message) {
		switch m := m.(type) {
		case *ipc.HookEnded:
			b.ended <- m
		case *ipc.Rendered:
			b.drawn <- m
		}
	})
	b.send(b.keeper, &ipc.Link{}, its)
	its.Close()
}

func pair(t *testing.T) (a, b *os.File) {
	t.Helper()
	a, b, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func conn(t *testing.T, f *os.File, take func(ipc.Message)) *ipc.Conn {
	t.Helper()
	c, err := ipc.New(f)
	if err != nil {
		t.Fatal(err)
	}
	go c.Run(t.Context(), func(m ipc.Message, _ []*os.File) {
		if take != nil {
			take(m)
		}
	})
	return c
}

func (b *bed) send(c *ipc.Conn, m ipc.Message, files ...*os.File) {
	b.t.Helper()
	if err := c.Send(m, files...); err != nil {
		b.t.Fatal(err)
	}
}

// order has a hook run, and waits for its end.
func (b *bed) order(m *ipc.RunHook) *ipc.HookEnded {
	b.t.Helper()
	b.send(b.control, m)
	e := await(b.t, b.ended)
	if e.ID != m.ID {
		b.t.Errorf("%d has ended, want %d", e.ID, m.ID)
	}
	return e
}

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		var none T
		t.Fatalf("no %T within 20 s", none)
		return none
	}
}

// stopped waits for the runner's own end.
func (b *bed) stopped() {
	b.t.Helper()
	select {
	case err := <-b.done:
		if err != nil {
			b.t.Error(err)
		}
	case <-time.After(20 * time.Second):
		b.t.Fatal("the runner did not end within 20 s")
	}
}

func script(name, text string) ipc.Program {
	return ipc.Program{Name: name, Argv: []string{"/bin/sh", "-c", text}, Timeout: 20 * time.Second}
}

func TestARunnerRunsWhatTheKeeperNamedAndTellsWhoAsked(t *testing.T) {
	b := newBed(t, script("ok", `cat; echo $TANDEM_EVENT $HOME`), script("bad", `echo no >&2; exit 3`))
	t.Setenv("HOME", "/must/not/be/seen")
	got := b.order(&ipc.RunHook{ID: 7, Hook: "ok", Env: []string{"TANDEM_EVENT=active"}, Stdin: []byte("in\n")})
	if got.Error != "" || got.Output != "in\nactive" || got.Took <= 0 || got.At.IsZero() {
		t.Errorf("%+v", got)
	}
	if got = b.order(&ipc.RunHook{ID: 8, Hook: "bad"}); got.Error != "exit status 3" || got.Output != "no" {
		t.Errorf("%+v", got)
	}
	b.relink()
	if got = b.order(&ipc.RunHook{ID: 1, Hook: "ok"}); got.Error != "" {
		t.Errorf("asked by another control process: %+v", got)
	}
	b.send(b.keeper, &ipc.Stop{Grace: time.Second})
	b.stopped()
}

func TestControlCannotHaveOtherThingsRun(t *testing.T) {
	b := newBed(t, script("ok", `true`))
	for _, m := range []*ipc.RunHook{
		{ID: 1, Hook: "/bin/sh"},
		{ID: 2, Hook: ""},
		{ID: 3, Hook: "ok", Env: []string{"TANDEM_EVENT=x", "LD_PRELOAD=/tmp/evil.so"}},
		{ID: 4, Hook: "ok", Env: []string{"PATH=/tmp"}},
	} {
		if got := b.order(m); got.Error == "" {
			t.Errorf("%+v was run", m)
		}
	}
}

func TestARunnerThatIsToldToStopLetsWhatRunsEndAndNotForLong(t *testing.T) {
	dir := t.TempDir()
	b := newBed(t, script("short", `touch `+dir+`/began; sleep 0.3; touch `+dir+`/short`), script("long", `sleep 1000`))
	b.send(b.control, &ipc.RunHook{ID: 1, Hook: "short"})
	b.send(b.control, &ipc.RunHook{ID: 2, Hook: "long"})
	for end := time.Now().Add(20 * time.Second); !exists(dir + "/began"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program did not begin within 20 s")
		}
	}
	b.send(b.keeper, &ipc.Stop{Grace: 6 * time.Second})
	b.stopped()
	if !exists(dir + "/short") {
		t.Error("a program that would have ended in a moment was killed")
	}
}

func TestWhatRunsIsKilledWhenTheKeeperIsGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	b := newBed(t, script("long", `echo $$ > `+file+`; sleep 1000`))
	b.send(b.control, &ipc.RunHook{ID: 1, Hook: "long"})
	var pid string
	for end := time.Now().Add(20 * time.Second); pid == ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program did not begin within 20 s")
		}
		text, _ := os.ReadFile(file)
		pid = strings.TrimSpace(string(text))
	}
	b.keeper.Close()
	b.stopped()
	if exists("/proc/" + pid) {
		t.Errorf("process %s lives on", pid)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
