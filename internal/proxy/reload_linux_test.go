package proxy

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// benchStart is what newHeldBench starts a proxy with.
func benchStart(change func(*ipc.ProxyStart)) *ipc.ProxyStart {
	check := ipc.Check{Interval: 50 * time.Millisecond}
	s := &ipc.ProxyStart{
		Loops: 1, OrphanTime: time.Minute, Frontends: []ipc.Frontend{{Name: "http", Pool: "web"}},
		Pools: []ipc.PoolPolicy{{Name: "web", Check: check}, {Name: "fresh", Check: check}},
	}
	s.Frontends[0].Pool = "fresh"
	change(s)
	return s
}

func (b *bench) prepare(id uint64, start *ipc.ProxyStart) (refusal string) {
	b.t.Helper()
	if err := b.keeper.Send(&ipc.Prepare{ID: id, Proxy: start}); err != nil {
		b.t.Fatal(err)
	}
	b.until("the proxy answers", func(m ipc.Message) bool {
		p, ok := m.(*ipc.Prepared)
		if ok && p.ID == id {
			refusal = p.Error
		}
		return ok && p.ID == id
	})
	return refusal
}

func TestAReloadThatTheProxyCannotDoIsRefusedAndChangesNothing(t *testing.T) {
	b := newBench(t, time.Minute)
	b.control(app(t, "hello"))
	b.until("the keeper hears of one backend up", isUp)
	for want, change := range map[string]func(*ipc.ProxyStart){
		"cannot change its loops": func(s *ipc.ProxyStart) { s.Loops = 2 },
		"no sockets for frontend": func(s *ipc.ProxyStart) {
			s.Frontends = append(s.Frontends, ipc.Frontend{Name: "other", Listen: ":81", Pool: "web"})
		},
		"retries 99":     func(s *ipc.ProxyStart) { s.Pools[0].Retries = 99 },
		"is given twice": func(s *ipc.ProxyStart) { s.Frontends = slices.Repeat(s.Frontends, 2) },
	} {
		if got := b.prepare(7, benchStart(change)); !strings.Contains(got, want) {
			t.Errorf("refused with %q, want %q", got, want)
		}
	}
	if code, body := b.get(); code != http.StatusOK || body != "hello" {
		t.Errorf("after the refusals a request is answered %d %q", code, body)
	}
	if err := b.keeper.Send(&ipc.Commit{ID: 7}); err != nil {
		t.Fatal(err)
	}
	b.until("the proxy says that it is not prepared", func(m ipc.Message) bool {
		c, ok := m.(*ipc.Committed)
		return ok && c.Error != ""
	})
}

func TestAReloadTakesEffectWhenItsBackendsAreCheckedAndNotBefore(t *testing.T) {
	b := newBench(t, time.Minute)
	old, fresh := app(t, "old"), app(t, "fresh")
	b.control(old)
	b.until("the keeper hears of one backend up", isUp)

	if refusal := b.prepare(7, benchStart(func(*ipc.ProxyStart) {})); refusal != "" {
		t.Fatal(refusal)
	}
	if code, body := b.get(); code != http.StatusOK || body != "old" {
		t.Errorf("prepared only, a request is answered %d %q", code, body)
	}
	fresh.Pools[0].Name = "fresh"
	b.control(&ipc.Pools{Reload: 7, Pools: append(fresh.Pools, old.Pools...)})
	b.until("the proxy is warm", func(m ipc.Message) bool { w, ok := m.(*ipc.Warm); return ok && w.ID == 7 })
	if _, body := b.get(); body != "old" {
		t.Errorf("warm only, a request is answered by %q", body)
	}
	if err := b.keeper.Send(&ipc.Commit{ID: 7}); err != nil {
		t.Fatal(err)
	}
	b.until("it is committed", func(m ipc.Message) bool { c, ok := m.(*ipc.Committed); return ok && c.Error == "" })
	if code, body := b.get(); code != http.StatusOK || body != "fresh" {
		t.Errorf("committed, a request is answered %d %q", code, body)
	}
}

func TestAnAbortedReloadLeavesThePoolsAsTheyWere(t *testing.T) {
	b := newBench(t, time.Minute)
	reports := b.control(app(t, "hello"))
	b.until("the keeper hears of one backend up", isUp)
	if refusal := b.prepare(7, benchStart(func(*ipc.ProxyStart) {})); refusal != "" {
		t.Fatal(refusal)
	}
	pools := func(n int) {
		t.Helper()
		for limit := time.After(patience); ; {
			select {
			case m := <-reports:
				if s, ok := m.(*ipc.ProxyState); ok && len(s.Pools) == n {
					return
				}
			case <-limit:
				t.Fatalf("the proxy never reports %d pools", n)
			}
		}
	}
	pools(2)
	if err := b.keeper.Send(&ipc.Abort{ID: 7}); err != nil {
		t.Fatal(err)
	}
	pools(1)
}

func TestSocketsOfAFrontendThatIsLeftOutAreClosed(t *testing.T) {
	b := newBench(t, 500*time.Millisecond)
	b.control(app(t, "hello"))
	if refusal := b.prepare(7, benchStart(func(s *ipc.ProxyStart) { s.Frontends, s.OrphanTime = nil, 500*time.Millisecond })); refusal != "" {
		t.Fatal(refusal)
	}
	if err := b.keeper.Send(&ipc.Commit{ID: 7}); err != nil {
		t.Fatal(err)
	}
	b.until("it is committed", func(m ipc.Message) bool { c, ok := m.(*ipc.Committed); return ok && c.Error == "" })
	b.dropped() // a new keeper is given what it has: the progress memory and the meeting socket
	conn, _, err := ipc.Meet(b.meeting)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m, files, err := conn.First(patience)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(files)
	hello, ok := m.(*ipc.Orphan)
	if !ok || len(hello.Start.Frontends) != 0 || len(files) != 2 {
		t.Errorf("it introduces itself with %T, %d frontends and %d descriptors", m, len(hello.Start.Frontends), len(files))
	}
}
