package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// manager is what a service manager hears (sd_notify).
type manager struct {
	conn *net.UnixConn

	mu    sync.Mutex // protects what follows
	lines []string
	pings []time.Time
}

func listenAsManager(t *testing.T) (m *manager, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m = &manager{conn: conn}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			m.mu.Lock()
			for line := range strings.SplitSeq(string(b[:n]), "\n") {
				if line == "WATCHDOG=1" {
					m.pings = append(m.pings, time.Now())
				} else if line != "" {
					m.lines = append(m.lines, line)
				}
			}
			m.mu.Unlock()
		}
	}()
	return m, path
}

// said returns all but signs of life and status.
func (m *manager) said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var words []string
	for _, l := range m.lines {
		if key, _, _ := strings.Cut(l, "="); key != "STATUS" {
			words = append(words, key)
		}
	}
	return strings.Join(words, " ")
}

func (m *manager) status() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.lines) - 1; i >= 0; i-- {
		if s, ok := strings.CutPrefix(m.lines[i], "STATUS="); ok {
			return s
		}
	}
	return ""
}

func (m *manager) pinged() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pings)
}

func TestTheServiceManagerHearsHowTheBalancerFares(t *testing.T) {
	s := newSite(t)
	m, path := listenAsManager(t)
	file := filepath.Join(t.TempDir(), "tandem.toml")
	write(t, file, reloadConf(0))
	log := new(logBuffer)
	s.logs["lb1"] = log
	p, err := s.hosts["lb1"].Start(lab.Command{
		Path: os.Getenv(binaryVar), Args: []string{"lb", "--config", file}, Stdout: log, Stderr: log,
		Env: append(os.Environ(), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=400000"),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.procs["lb1"] = p
	said := func(want string) {
		t.Helper()
		s.until("the manager has heard "+want, func() (bool, string) { got := m.said(); return got == want, got })
	}
	said("READY")
	if st, err := s.status("lb1"); err != nil || len(st.Groups) != 1 || st.Groups[0].State == "init" || len(s.proxies("lb1")["serving"]) != 1 {
		t.Errorf("ready, it is %+v, %v", st, err)
	}
	s.until("it tells that it is active", func() (bool, string) { got := m.status(); return strings.HasPrefix(got, "active, "), got })

	write(t, file, reloadConf(1))
	s.signal("lb1", syscall.SIGHUP)
	said("READY RELOADING MONOTONIC_USEC READY")

	// Signs of life come while the loop comes round, and from nobody else.
	s.until("there are signs of life", func() (bool, string) { return m.pinged() > 3, "none" })
	keeper := s.process("lb1", "keeper")
	s.signal("lb1", syscall.SIGSTOP)
	frozen := m.pinged()
	time.Sleep(time.Second) // a fault's own length, not a wait
	if more := m.pinged() - frozen; more > 1 {
		t.Errorf("%d signs of life while keeper %d stood still", more, keeper)
	}
	s.signal("lb1", syscall.SIGCONT)
	s.until("it gives signs of life again", func() (bool, string) { return m.pinged() > frozen+3, "none" })

	s.signal("lb1", syscall.SIGTERM)
	if err := s.ended("lb1"); err != nil {
		t.Error(err)
	}
	said("READY RELOADING MONOTONIC_USEC READY STOPPING")
}
