package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// The generator asks the backend itself, without a proxy: it must count answers,
// and the processor time of the process that it is told.
func TestGeneratorCountsAnswersAndProcessorTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	go func() {
		if err := serveBackend(addr); err != nil {
			t.Error(err)
		}
	}()
	for _, s := range scenarios {
		if s.h2 > 0 {
			continue // the backend does not speak it, and h2load counts by itself
		}
		t.Run(s.name, func(t *testing.T) {
			s.conns, s.tls, s.again = 4, false, false // the backend speaks no TLS
			load := &loader{scenario: s, addr: addr, pid: os.Getpid(), warm: 20 * time.Millisecond, time: 300 * time.Millisecond}
			got, err := load.run()
			if err != nil || got.Failed > 0 || got.Requests < 4 {
				t.Errorf("%+v, %v", got, err)
			}
			if s.mode != loadIdle && (got.Value <= 0 || got.PerS <= 0) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestGeneratorKnowsBadAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok":                          "",
		"HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 2\r\n\r\nok":       "",
		"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n":                            "503",
		"HTTP/1.1 200 OK\r\nX: y\r\n\r\n":                                         "length",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok":                          "EOF",
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 8192) + "\r\nB: c\r\n\r\n": "long",
	} {
		c, s := net.Pipe()
		go func() {
			_, _ = s.Read(make([]byte, 4096))
			_, _ = io.WriteString(s, answer)
			s.Close()
		}()
		err := ask(c, request("/", false), make([]byte, 4096))
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%.60q: %v, want %q", answer, err, want)
		}
		c.Close()
	}
}

func TestSpendingOfAProcessAndItsChildren(t *testing.T) {
	before := spentBy(os.Getpid())
	if len(before) == 0 || before[os.Getpid()].mem < 1 {
		t.Fatalf("%v", before)
	}
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
	}
	one, all := before.cpuTo(spentBy(os.Getpid()))
	if one < 2*tick || all < one || one > 10*time.Second {
		t.Errorf("one %v, all %v", one, all)
	}
	if got := spentBy(1 << 29); len(got) != 0 {
		t.Errorf("a process that does not exist has %v", got)
	}
}
