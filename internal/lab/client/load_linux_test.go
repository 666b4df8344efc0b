package client

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// serve answers every connection with fn and returns where.
func serve(t *testing.T, fn func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go fn(c)
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String())
}

// until runs a load until the log satisfies cond.
func until(t *testing.T, cfg Config, cond func(*Log) bool) *Log {
	t.Helper()
	log := NewLog(time.Now())
	load, err := New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- load.Run(ctx) }()
	deadline := time.Now().Add(20 * time.Second)
	for !cond(log) {
		if time.Now().After(deadline) {
			t.Errorf("condition not met; %d requests: %+v", len(log.Requests()), Count(log.Requests(), Window{0, log.Now()}))
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return log
}

func readHead(c net.Conn) {
	buf := make([]byte, 1024)
	_, _ = c.Read(buf)
}

func TestEachRequestIsRecordedWithItsFate(t *testing.T) {
	whole := "HTTP/1.1 200 OK\r\nX-Served-By: web1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
	for _, tc := range []struct {
		name string
		fn   func(net.Conn)
		want Kind
		code int
		from string
	}{
		{"good", func(c net.Conn) { readHead(c); _, _ = io.WriteString(c, whole); c.Close() }, "", 200, "web1"},
		{"good, never closed by the server", func(c net.Conn) { readHead(c); _, _ = io.WriteString(c, whole) }, "", 200, "web1"},
		{"truncated", func(c net.Conn) { readHead(c); _, _ = io.WriteString(c, whole[:len(whole)-1]); c.Close() }, Truncated, 200, ""},
		{"silent", func(net.Conn) {}, Timeout, 0, ""},
		{"reset", func(c net.Conn) { readHead(c); _ = c.(*net.TCPConn).SetLinger(0); c.Close() }, Reset, 0, ""},
		{"not HTTP", func(c net.Conn) { _, _ = io.WriteString(c, "220 mail\r\n\r\n"); c.Close() }, Malformed, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := Config{Target: serve(t, tc.fn), Timeout: 100 * time.Millisecond}
			log := until(t, cfg, func(l *Log) bool { return len(l.Requests()) >= 20 })
			hits := 0
			for _, r := range log.Requests() {
				if r.Fail == tc.want && r.Code == tc.code && (tc.want != "" || r.From == tc.from) {
					hits++
				}
				if r.Start < r.Due || r.End < r.Start {
					t.Errorf("times out of order: %+v", r)
				}
			}
			// On a busy machine a few may time out before they are served.
			if hits == 0 {
				t.Errorf("none of %d ended %q: %+v", len(log.Requests()), tc.want, log.Requests()[0])
			}
		})
	}
}

func TestARefusedConnectionIsAFailureAtOnce(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := netip.MustParseAddrPort(ln.Addr().String())
	ln.Close()
	log := until(t, Config{Target: target}, func(l *Log) bool { return len(l.Requests()) >= 20 })
	if r := log.Requests()[0]; r.Fail != Refused {
		t.Errorf("got %+v, want refused", r)
	}
}

func TestTheScheduleDoesNotWaitForAnswers(t *testing.T) {
	silent := func(c net.Conn) { // it keeps c: one that nothing refers to is closed by the collector
		<-t.Context().Done()
		c.Close()
	}
	cfg := Config{Target: serve(t, silent), Timeout: time.Hour, MaxOpen: 10}
	log := until(t, cfg, func(l *Log) bool { return len(l.Requests()) >= 50 })
	overrun := 0
	for _, r := range log.Requests() {
		switch r.Fail {
		case Overrun:
			overrun++
		case Skipped: // a busy machine: its time had passed before the client came to it
		default:
			t.Fatalf("got %+v, want overrun: ten are open and none answered", r)
		}
	}
	if overrun == 0 {
		t.Error("no request was an overrun")
	}
	recorded := map[time.Duration]bool{}
	for _, r := range log.Requests() {
		recorded[r.Due] = true
	}
	settled, open := log.Settled(), 0
	for due := settled; due < log.Requests()[len(log.Requests())-1].Due; due += 2 * time.Millisecond {
		if !recorded[due] {
			open++
		}
	}
	if recorded[settled] || open != cfg.MaxOpen {
		t.Errorf("settled up to %v, and %d without an answer from there on; want the first of the %d that are open", settled, open, cfg.MaxOpen)
	}
}

func TestEveryDueTimeAppearsOnce(t *testing.T) {
	cfg := Config{Target: serve(t, func(c net.Conn) { c.Close() })}
	log := until(t, cfg, func(l *Log) bool { return len(l.Requests()) >= 300 })
	seen := map[time.Duration]bool{}
	first := time.Duration(1 << 62)
	for _, r := range log.Requests() {
		if seen[r.Due] {
			t.Fatalf("two requests due at %v", r.Due)
		}
		seen[r.Due] = true
		first = min(first, r.Due)
	}
	for due := first; due < log.Settled(); due += 2 * time.Millisecond {
		if !seen[due] {
			t.Fatalf("nothing recorded for the request due at %v, settled %v", due, log.Settled())
		}
	}
}

func TestAClientThatComesLateSkipsWhatItMissedAndSaysSo(t *testing.T) {
	log := NewLog(time.Now())
	// No connection may be open, so what is not skipped shows as overrun.
	lp := &loop{Load: &Load{cfg: Config{Interval: 2 * ms, MaxOpen: 0}, log: log}}
	lp.startDue(1000 * ms)
	sum := Count(log.Requests(), Window{0, time.Hour})
	if sum.Requests != catchUp || sum.Kinds[Overrun] != catchUp || sum.Skipped != 500+1-catchUp {
		t.Errorf("got %+v, want the latest %d requests and %d skipped", sum, catchUp, 500+1-catchUp)
	}
	if lp.next != 1002*ms {
		t.Errorf("the next is due at %v", lp.next)
	}
}
