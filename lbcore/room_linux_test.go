package lbcore_test

import (
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// What is more than the frontend takes waits in the kernel's queue, and is served as soon as there is room.
func TestConnectionsBeyondMaxConnWait(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.MaxConn = 2 })
	var clients []*rawConn
	for range 12 {
		c := l.dial()
		c.say(get)
		clients = append(clients, c)
	}
	// Loops that accept at the same moment may take one more each.
	answered := make(chan *rawConn)
	for _, c := range clients {
		go func() {
			if status, err := readAnswer(c); err != nil || status != 200 {
				t.Errorf("status %d, %v", status, err)
			}
			answered <- c
		}()
	}
	for range clients {
		c := <-answered
		if n := l.counters().Current; n > 3 {
			t.Errorf("%d connections are open", n)
		}
		c.Close()
	}
	if n := l.counters(); n.Errors.Full == 0 || n.Accepted != 12 {
		t.Errorf("it was full %d times; %d accepted", n.Errors.Full, n.Accepted)
	}
	// More room by a reload lets in who waits.
	full := []*rawConn{l.dial(), l.dial(), l.dial(), l.dial()}
	for _, c := range full {
		c.say(get)
	}
	eventually(t, "full", func() bool { return l.counters().Current >= 2 })
	l.fe.MaxConn = 0
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	for _, c := range full {
		c.answer(t, "GET")
	}
}
