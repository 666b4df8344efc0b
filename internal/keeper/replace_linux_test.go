package keeper

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// company is a loop whose processes are played by the test.
type company struct {
	t       *testing.T
	l       *loop
	now     time.Time
	control chan ipc.Message // what control is told
	started []*child         // those of replacements
}

// joined returns the keeper's end of a pair, and what is sent over it.
func joined(t *testing.T) (*ipc.Conn, chan ipc.Message) {
	t.Helper()
	a, b, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	ends := make([]*ipc.Conn, 2)
	for i, f := range []*os.File{a, b} {
		if ends[i], err = ipc.New(f); err != nil {
			t.Fatal(err)
		}
	}
	heard := make(chan ipc.Message, 64)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go ends[0].Run(ctx, func(ipc.Message, []*os.File) {})
	go func() {
		defer close(heard)
		ends[1].Run(ctx, func(m ipc.Message, files []*os.File) {
			closeFiles(files)
			heard <- m
		})
	}()
	return ends[0], heard
}

// next returns the next message of this type; others on the way do not matter.
func next[M ipc.Message](t *testing.T, from chan ipc.Message) M {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case m, ok := <-from:
			if !ok {
				t.Fatalf("the connection has ended without a %T", *new(M))
			}
			if m, ok := m.(M); ok {
				return m
			}
		case <-limit:
			t.Fatalf("no %T came", *new(M))
		}
	}
}

func newCompany(t *testing.T) (*company, chan ipc.Message) {
	t.Helper()
	c := &company{t: t, now: time.Unix(1000, 0)}
	log := slog.New(slog.DiscardHandler)
	newChild := func(name string) *child { return &child{name: name, log: log, verdict: make(chan bool, 1)} }
	d := &proxyDesk{drainTime: time.Minute, timeout: time.Second, log: log, start: ipc.ProxyStart{Loops: 1}}
	d.run = func(ch *child) { c.started = append(c.started, ch) }
	d.another = func() (*proxyEnd, error) {
		p, err := newProgress(1)
		return &proxyEnd{desk: desk{child: newChild(proxyName), log: log}, progress: p}, err
	}
	var err error
	if d.now, err = d.another(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	c.l = &loop{log: log, proxy: d, control: &controlDesk{desk: desk{child: newChild(controlName), log: log}}}
	c.l.control.conn, c.control = joined(t)
	old := c.start(d.now)
	next[*ipc.Serve](t, old)
	c.says(d.now, &ipc.Ready{})
	c.says(d.now, &ipc.ProxyState{Up: 2, Total: 2, Listed: true})
	return c, old
}

// start has the process of a proxy started.
func (c *company) start(p *proxyEnd) chan ipc.Message {
	c.t.Helper()
	conn, heard := joined(c.t)
	c.l.childStarted(childStarted{p.child, conn})
	return heard
}

func (c *company) says(p *proxyEnd, m ipc.Message) { c.l.childMessage(childMessage{p.child, m}) }

func (c *company) dies(p *proxyEnd) (again bool) {
	c.t.Helper()
	c.l.childEnded(childEnded{p.child, nil})
	select {
	case again = <-p.child.verdict:
	default:
		c.t.Fatal("nothing was decided about a process that ended")
	}
	return again
}

func TestANewProxyServesWhenItIsAsWarmAsTheOldOne(t *testing.T) {
	c, old := newCompany(t)
	d := c.l.proxy
	first := d.now
	c.l.replaceProxy(7, c.now)
	if d.next == nil || len(c.started) != 1 {
		t.Fatal("no second proxy was started")
	}
	second, heard := d.next, c.start(d.next)
	next[*ipc.ProxyStart](t, heard)
	for _, state := range []ipc.ProxyState{{}, {Up: 2, Total: 2}, {Listed: true}, {Up: 1, Total: 2, Listed: true}} {
		c.says(second, &state)
		if c.l.lookAtProxies(c.now); second.told {
			t.Fatalf("it was told to serve at %+v, while the old one has 2 backends up", state)
		}
	}
	c.says(second, &ipc.ProxyState{Up: 2, Total: 2, Listed: true})
	c.l.lookAtProxies(c.now)
	next[*ipc.Serve](t, heard)
	if d.now != first {
		t.Fatal("it counts before it serves")
	}
	if reason, _ := d.look(c.now); reason != "" {
		t.Errorf("meanwhile this node does not serve: %s", reason)
	}
	c.says(second, &ipc.Ready{})
	if m := next[*ipc.Retire](t, old); m.Grace != time.Minute {
		t.Errorf("the old one may drain for %v, want the drain time", m.Grace)
	}
	if o := next[*ipc.Outcome](t, c.control); o.ID != 7 || o.Error != "" || o.Message == "" {
		t.Errorf("control is told %+v", o)
	}
	if reason, _ := d.look(c.now); reason != "" || d.now != second {
		t.Errorf("afterwards this node does not serve: %s", reason)
	}
	if c.dies(first) {
		t.Error("the old one is started again")
	}
	if len(d.all()) != 1 {
		t.Errorf("%d proxies are known, want the new one", len(d.all()))
	}
	if !c.dies(second) {
		t.Error("the new one is not started again when it dies")
	}
}

func TestANewProxyThatDoesNotGetWarmIsGivenUp(t *testing.T) {
	c, _ := newCompany(t)
	d := c.l.proxy
	first := d.now
	c.l.replaceProxy(7, c.now)
	second, heard := d.next, c.start(d.next)
	c.says(second, &ipc.ProxyState{Up: 1, Total: 2, Listed: true})
	c.l.replaceProxy(8, c.now)
	if o := next[*ipc.Outcome](t, c.control); o.ID != 8 || o.Error == "" {
		t.Errorf("a second order meanwhile: %+v", o)
	}
	c.l.lookAtProxies(time.Now().Add(warmLimit + time.Second)) // the order came by the test's clock, which is behind
	if o := next[*ipc.Outcome](t, c.control); o.ID != 7 || o.Error == "" || o.Remedy == "" {
		t.Errorf("control is told %+v", o)
	}
	for range heard { // until its connection ends
	}
	c.l.lookAtProxies(c.now)
	if c.dies(second) || d.next != nil || d.now != first {
		t.Error("the old one does not go on alone")
	}
	select {
	case m := <-c.control:
		t.Errorf("control is told once more: %+v", m)
	default:
	}
}

// What dies in the middle is started again cold, or not at all; the warm one need not wait.
func TestWhenTheOldProxyDiesItsSuccessorServesAtOnce(t *testing.T) {
	c, _ := newCompany(t)
	d := c.l.proxy
	first := d.now
	c.l.replaceProxy(7, c.now)
	second, heard := d.next, c.start(d.next)
	c.says(second, &ipc.ProxyState{Up: 1, Total: 2, Listed: true})
	if !c.dies(first) {
		t.Error("the one that serves is not started again, though its successor may die, too")
	}
	c.l.lookAtProxies(c.now)
	next[*ipc.Serve](t, heard)
	c.says(second, &ipc.Ready{})
	if d.now != second {
		t.Fatal("the successor does not serve")
	}
	again := c.start(first) // it was on its way
	for range again {       // until its connection ends
	}
	if c.dies(first) || len(d.all()) != 1 {
		t.Error("the old one lives on")
	}
}

func TestARetiredProxyThatOverstaysIsKilled(t *testing.T) {
	c, old := newCompany(t)
	d := c.l.proxy
	c.l.replaceProxy(0, c.now)
	c.start(d.next)
	c.says(d.next, &ipc.ProxyState{Up: 2, Total: 2, Listed: true})
	c.l.lookAtProxies(c.now)
	c.says(d.next, &ipc.Ready{})
	c.l.lookAtProxies(time.Now().Add(d.drainTime))
	next[*ipc.Retire](t, old)
	c.l.lookAtProxies(time.Now().Add(d.drainTime + retireExtra + time.Second))
	for range old { // until its connection ends
	}
}

func TestADrainReachesAllProxiesAndThoseToCome(t *testing.T) {
	c, old := newCompany(t)
	d := c.l.proxy
	c.says(d.now, &ipc.Clients{Total: 3, InFlight: 1})
	c.l.replaceProxy(0, c.now)
	d.drain(time.Now(), time.Hour)
	next[*ipc.Drain](t, old)
	heard := c.start(d.next)
	if m := next[*ipc.Drain](t, heard); m.After <= 0 || m.After > time.Hour {
		t.Errorf("one that is started later begins to drain after %v, want what is left of the hour", m.After)
	}
	c.says(d.next, &ipc.Clients{Total: 2})
	if n := d.left(); n.Total != 5 || n.InFlight != 1 || !n.Draining {
		t.Errorf("%+v are left, want 5 with one request", n)
	}
	d.resume()
	next[*ipc.Resume](t, old)
	next[*ipc.Resume](t, heard)
	if d.left().Draining {
		t.Error("the drain goes on")
	}
	heard = c.start(d.now) // after a death
	next[*ipc.Serve](t, heard)
	c.l.control.conn = nil
	select {
	case m, ok := <-heard:
		if _, isLink := m.(*ipc.Link); ok && !isLink {
			t.Errorf("one that is started after the resume is told %T", m)
		}
	default:
	}
}

func TestAProxyThatDiedServesAgainWhenItSeesTheBackendsAgain(t *testing.T) {
	for name, patient := range map[string]bool{"all are up in time": true, "some stay away": false} {
		c, _ := newCompany(t)
		p, now := c.l.proxy.now, time.Now()
		if !c.dies(p) {
			t.Fatal("it is not started again")
		}
		heard := c.start(p)
		next[*ipc.ProxyStart](t, heard)
		c.says(p, &ipc.ProxyState{Up: 1, Total: 2, Listed: true})
		if c.l.lookAtProxies(now); p.told {
			t.Fatalf("%s: it was told to serve with one backend of two", name)
		}
		if patient {
			c.says(p, &ipc.ProxyState{Up: 2, Total: 2, Listed: true})
		} else {
			now = time.Now().Add(serveWithin)
		}
		c.l.lookAtProxies(now)
		next[*ipc.Serve](t, heard)
		if c.l.lookAtProxies(now.Add(time.Hour)); !p.told || !p.serveBy.IsZero() {
			t.Errorf("%s: it would be told again", name)
		}
	}
}
