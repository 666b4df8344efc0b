package lbcore_test

import (
	"syscall"
	"testing"

	"github.com/tandem-lb/tandem/lbcore"
)

// E3 bounds how long a stuck loop may stay; this bounds what that costs: no new
// connection waits for it.
func TestNewConnectionsOfAStuckLoopAreServedByAnother(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), longChecks)
	release := lbcore.HoldLoop(l.Proxy, 0)
	for range 40 { // of which the kernel gives half to each
		c := l.dial()
		c.say(get)
		c.answer(t, "GET")
		c.Close()
	}
	if n := lbcore.Listening(l.Proxy, 1); n != 2 {
		t.Errorf("the other loop has %d listeners, want its own and that of the stuck one", n)
	}
	release()
	eventually(t, "the loop has its listener back", func() bool { return lbcore.Listening(l.Proxy, 1) == 1 })
	for range 20 {
		c := l.dial()
		c.say(get)
		c.answer(t, "GET")
		c.Close()
	}
}

// A second time the copy has the number that the first one had.
func TestALoopMayBeStuckTwice(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), longChecks)
	for range 3 {
		release := lbcore.HoldLoop(l.Proxy, 1)
		eventually(t, "stood in for", func() bool { return lbcore.Listening(l.Proxy, 0) == 2 })
		for range 10 {
			c := l.dial()
			c.say(get)
			c.answer(t, "GET")
			c.Close()
		}
		release()
		eventually(t, "over", func() bool { return lbcore.Listening(l.Proxy, 0) == 1 })
	}
}

func TestFrontendsChangeWhileALoopIsStuck(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), longChecks)
	defer lbcore.HoldLoop(l.Proxy, 0)()
	fds, addr := listenAt(t, "127.0.0.1:0", 2)
	second := lbcore.FrontendConfig{Name: "second", Pool: "web", Listeners: fds}
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe, second}))
	l.addr = addr
	for range 20 {
		c := l.dial()
		c.say(get)
		c.answer(t, "GET")
		c.Close()
	}
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	eventually(t, "the other loop has given up what is gone", func() bool { return lbcore.Listening(l.Proxy, 1) == 2 })
}

// The keeper has the same sockets, and may hand one out again after a reload.
func TestASocketComesBackUnderItsNumber(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), longChecks, oneLoop)
	kept, err := syscall.Dup(l.fds[0])
	must(t, err)
	defer syscall.Close(kept)
	must(t, l.SetFrontends(nil))
	eventually(t, "closed", func() bool { return lbcore.Listening(l.Proxy, 0) == 0 })
	must(t, syscall.Dup3(kept, l.fds[0], syscall.O_CLOEXEC))
	must(t, l.SetFrontends([]lbcore.FrontendConfig{l.fe}))
	c := l.dial()
	c.say(get)
	c.answer(t, "GET")
}
