package demo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// machine is a host with its daemon. One goroutine uses it, but for the log.
type machine struct {
	role
	host   *lab.Host
	site   *site
	proc   *lab.Process // of the daemon; nil before the first start
	log    tail
	ignore context.CancelFunc // ends the reading of the kernel's address news
}

// watch begins to read the host's addresses from its kernel.
func (m *machine) watch() {
	ctx, cancel := context.WithCancel(m.site.ctx)
	m.ignore = cancel
	m.site.tasks.Go(func() error { return m.site.owners.Follow(ctx, m.host) })
}

// start runs the daemon.
func (m *machine) start() error {
	p, err := m.host.Start(lab.Command{Path: m.site.exe, Args: m.args, Stdout: &m.log, Stderr: &m.log})
	if err != nil {
		return fmt.Errorf("start %s in %s: %w", m.args[0], m.name, err)
	}
	m.proc = p
	return nil
}

// terminate sends SIGTERM to the daemon.
func (m *machine) terminate() error {
	if err := m.proc.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s in %s: %w", m.args[0], m.name, err)
	}
	return nil
}

// running tells whether the daemon lives.
func (m *machine) running() bool {
	if m.proc == nil {
		return false
	}
	select {
	case <-m.proc.Done():
		return false
	default:
		return true
	}
}

// powerOff takes the power.
func (m *machine) powerOff() error {
	m.ignore()
	return m.host.PowerOff()
}

// powerOn gives it back, and starts what the host ran.
func (m *machine) powerOn() error {
	if err := m.host.PowerOn(); err != nil {
		return err
	}
	m.watch()
	return m.start()
}

// listens asks the host's kernel whether something accepts connections on a port.
func (m *machine) listens(port uint16) bool {
	found := false
	err := m.host.Do(func() error {
		// thread-self, since only this thread is in the host's network.
		for _, file := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
			b, err := os.ReadFile(file)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			found = found || listening(b, port)
		}
		return nil
	})
	return err == nil && found
}

// listening looks for a listening socket in the text of /proc/net/tcp.
func listening(table []byte, port uint16) bool {
	suffix := fmt.Sprintf(":%04X", port)
	const listen = "0A" // TCP_LISTEN, include/net/tcp_states.h
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) > 3 && f[3] == listen && strings.HasSuffix(f[1], suffix) {
			return true
		}
	}
	return false
}

// hosts as the watcher of owners wants them.
func hostsOf(ms []*machine) []owners.Host {
	var out []owners.Host
	for _, m := range ms {
		out = append(out, m.host)
	}
	return out
}

// find returns the machine of that name, nil when there is none.
func find(ms []*machine, name string) *machine {
	i := slices.IndexFunc(ms, func(m *machine) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return ms[i]
}
