package agent_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/agent"
	"github.com/tandem-lb/tandem/internal/config"
)

func TestLinesReachTheCollectorToTheLastOne(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		b, _ := io.ReadAll(bufio.NewReader(conn))
		got <- string(b)
	}()
	f := start(t, "", func(_ *fixture, cfg *agent.Config) {
		cfg.Syslog = config.Syslog{Network: "tcp", Address: l.Addr().String(), Facility: 16, Buffer: 1 << 20}
		cfg.Processes = []config.Process{shell("shop", `trap 'echo the last words; exit 0' TERM; echo to you >&2; while :; do sleep 0.01; done`)}
	})
	f.await("the first line is passed on", func() bool { return strings.Contains(f.out.String(), "to you") })
	f.signals <- syscall.SIGTERM
	f.exit(0)
	all := <-got
	if i, j := strings.Index(all, " s1 shop "), strings.Index(all, "to you"); i < 0 || j < i || !strings.Contains(all, "<131>1 ") {
		t.Errorf("the collector got %q", all)
	}
	if !strings.Contains(all, " - - the last words") || !strings.Contains(all, "<134>1 ") {
		t.Errorf("the last line is missing in %q", all)
	}
}
