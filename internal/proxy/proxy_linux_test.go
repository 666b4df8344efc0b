package proxy

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/ipc"
)

const patience = 20 * time.Second

// bench is the keeper's and control's side of one proxy process, which runs in this one.
type bench struct {
	t       *testing.T
	keeper  *ipc.Conn
	heard   chan ipc.Message // what the proxy tells the keeper
	url     string
	ended   chan error
	dropped context.CancelFunc // ends the keeper's side
	meeting string             // path of the meeting socket
	socket  *os.File           // the meeting socket itself
}

// newBench starts a proxy with one frontend and the pool web, and has it serve.
func newBench(t *testing.T, orphan time.Duration) *bench {
	t.Helper()
	b := newHeldBench(t, orphan)
	b.serve()
	return b
}

// newHeldBench starts one that does not serve yet.
func newHeldBench(t *testing.T, orphan time.Duration) *bench {
	t.Helper()
	mine, its, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, heard: make(chan ipc.Message, 1024), ended: make(chan error, 1)}
	if b.keeper, err = ipc.New(mine); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.dropped = cancel
	go b.keeper.Run(ctx, func(m ipc.Message, _ []*os.File) { b.heard <- m })
	go func() { b.ended <- Run(its, new(slog.LevelVar), slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		b.keeper.Send(&ipc.Stop{}) // one that has ended, or has no keeper, needs none
		b.end()
		cancel()
	})

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b.url = "http://" + listener.Addr().String() + "/"
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() }) // as the keeper has it
	memory := progressMemory(t)
	defer memory.Close()
	start := &ipc.ProxyStart{
		Loops: 1, OrphanTime: orphan,
		Frontends: []ipc.Frontend{{Name: "http", Pool: "web"}},
		Pools:     []ipc.PoolPolicy{{Name: "web", Check: ipc.Check{Interval: 50 * time.Millisecond}}},
	}
	if err := b.keeper.Send(start, memory, socket); err != nil {
		t.Fatal(err)
	}
	b.meeting = filepath.Join(t.TempDir(), "meeting")
	meeting, err := ipc.NewMeeting(b.meeting)
	if err != nil {
		t.Fatal(err)
	}
	b.socket = meeting
	t.Cleanup(func() { meeting.Close() })
	return b
}

// serve has it read its sockets.
func (b *bench) serve() {
	b.t.Helper()
	if err := b.keeper.Send(&ipc.Serve{}, b.socket); err != nil {
		b.t.Fatal(err)
	}
	b.until("the proxy is ready", func(m ipc.Message) bool { _, ok := m.(*ipc.Ready); return ok })
}

// end waits for the process.
func (b *bench) end() error {
	b.t.Helper()
	select {
	case err := <-b.ended:
		b.ended <- err
		return err
	case <-time.After(patience):
		b.t.Fatalf("the proxy did not end within %v", patience)
		return nil
	}
}

func progressMemory(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("progress", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "progress")
	if err := f.Truncate(8); err != nil {
		t.Fatal(err)
	}
	return f
}

// until waits for a message to the keeper that is right.
func (b *bench) until(what string, right func(ipc.Message) bool) {
	b.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m := <-b.heard:
			if right(m) {
				return
			}
		case <-limit:
			b.t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// control links a control process, tells its lists, and returns what the proxy reports.
func (b *bench) control(lists *ipc.Pools) <-chan ipc.Message {
	b.t.Helper()
	mine, its, err := ipc.Pair()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.keeper.Send(&ipc.Link{}, its); err != nil {
		b.t.Fatal(err)
	}
	its.Close()
	conn, err := ipc.New(mine)
	if err != nil {
		b.t.Fatal(err)
	}
	heard := make(chan ipc.Message, 1024)
	go conn.Run(context.Background(), func(m ipc.Message, _ []*os.File) { heard <- m })
	b.t.Cleanup(func() { conn.Close() })
	if err := conn.Send(lists); err != nil {
		b.t.Fatal(err)
	}
	return heard
}

func app(t *testing.T, text string) *ipc.Pools {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return &ipc.Pools{Pools: []ipc.PoolBackends{{Name: "web", Backends: []ipc.Backend{
		{ID: "app", Addr: netip.MustParseAddrPort(s.Listener.Addr().String()), Weight: 100},
	}}}}
}

func (b *bench) get() (int, string) {
	b.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func isUp(m ipc.Message) bool {
	s, ok := m.(*ipc.ProxyState)
	return ok && s.Up == 1 && s.Total == 1
}

func TestOrdersMakeAProxyThatServesAndReports(t *testing.T) {
	b := newBench(t, time.Minute)
	if code, _ := b.get(); code != http.StatusServiceUnavailable {
		t.Errorf("a request before there is a backend is answered %d, want 503", code)
	}
	reports := b.control(app(t, "hello"))
	b.until("the keeper hears of one backend up", isUp)
	if code, body := b.get(); code != http.StatusOK || body != "hello" {
		t.Errorf("a request is answered %d %q, want 200 from the app", code, body)
	}
	limit := time.After(patience)
	for done := false; !done; {
		select {
		case m := <-reports:
			s, ok := m.(*ipc.ProxyState)
			done = ok && len(s.Pools) == 1 && len(s.Pools[0].Backends) == 1 && s.Pools[0].Backends[0].Requests == 1 &&
				len(s.Frontends) == 1 && s.Frontends[0].Requests == 2 && s.Frontends[0].Status["5xx"] == 1
		case <-limit:
			t.Fatal("control never hears of both requests")
		}
	}
	if err := b.keeper.Send(&ipc.Stop{Grace: time.Second}); err != nil {
		t.Fatal(err)
	}
	if err := b.end(); err != nil {
		t.Errorf("told to stop, the proxy ended with %v", err)
	}
}

func TestANewControlProcessTakesOver(t *testing.T) {
	b := newBench(t, 100*time.Millisecond)
	b.control(app(t, "old"))
	b.until("the keeper hears of one backend up", isUp)
	b.control(app(t, "new"))
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if code, body := b.get(); code == http.StatusOK && body == "new" {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the second control's app never answers; instead %d %q", code, body)
		}
	}
}

func TestAProxyWithoutAKeeperServesOnAndThenEnds(t *testing.T) {
	b := newBench(t, 300*time.Millisecond)
	b.control(app(t, "hello"))
	b.until("the keeper hears of one backend up", isUp)
	b.dropped()
	if code, body := b.get(); code != http.StatusOK || body != "hello" {
		t.Errorf("right after its keeper went, a request is answered %d %q, want 200", code, body)
	}
	if err := b.end(); err != nil {
		t.Errorf("after the orphan time the proxy ended with %v", err)
	}
}

func TestOrdersThatDoNotFitAreRefused(t *testing.T) {
	mine, its, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := ipc.New(mine)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go keeper.Run(ctx, func(ipc.Message, []*os.File) {})
	if err := keeper.Send(&ipc.ProxyStart{Loops: 2, Frontends: []ipc.Frontend{{Name: "http"}}}); err != nil {
		t.Fatal(err)
	}
	if err := Run(its, new(slog.LevelVar), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("orders without the descriptors they need were accepted")
	}
}
