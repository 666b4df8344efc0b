package delivery

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A machine is a bare system that runs, with a disk of its own.
type machine struct {
	t      *testing.T
	name   string
	root   string // where its disk is seen from here
	groups []string
	nspawn *exec.Cmd
	leader int // its process 1, seen from here
	log    *os.File
}

// newMachine makes a machine's disk, and does not boot it.
func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	return machineOf(bareSystem(t), t, name)
}

// newFurnished makes one that has what other documents begin with.
func newFurnished(t *testing.T, name string) *machine {
	t.Helper()
	return machineOf(furnishedSystem(t), t, name)
}

func machineOf(layers []string, t *testing.T, name string) *machine {
	t.Helper()
	m := &machine{t: t, name: name, root: overlay(t, name, layers)}
	m.write("/etc/hostname", name+"\n", 0o644) // debootstrap has copied that of this machine
	t.Cleanup(m.powerOff)
	return m
}

// path is where a file of the machine is seen from here.
func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// put copies a file of this machine onto that one.
func (m *machine) put(from, to string, mode os.FileMode) {
	m.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write(to, string(data), mode)
}

func (m *machine) write(to, text string, mode os.FileMode) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(to)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(to), []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

// boot starts it, without a network, and waits until its systemd has started everything.
func (m *machine) boot() {
	m.t.Helper()
	m.powerOn()
	m.untilBooted()
}

// powerOn starts it. Each machine has a control group of its own: nspawn makes two in the one
// that it is in.
func (m *machine) powerOn() {
	m.t.Helper()
	m.groups = makeGroups(m.t, filepath.Base(filepath.Dir(m.root)))
	var err error
	if m.log, err = os.OpenFile(m.path("console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		m.t.Fatal(err)
	}
	script := `for g in ` + strings.Join(m.groups, " ") + `; do echo $$ > $g/cgroup.procs; done; exec "$@"`
	m.nspawn = exec.Command("sh", "-c", script, "sh", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--directory="+m.path(""),
		"--machine="+m.name, "--private-network", "--link-journal=no", "--console=pipe", "--resolv-conf=off", "--timezone=off")
	m.nspawn.Stdout, m.nspawn.Stderr = m.log, m.log
	if err := m.nspawn.Start(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) untilBooted() {
	m.t.Helper()
	m.until("it has booted", func() (bool, string) {
		for child := range strings.FieldsSeq(childrenOf(m.nspawn.Process.Pid)) {
			if name, _ := os.ReadFile("/proc/" + child + "/comm"); strings.TrimSpace(string(name)) == "systemd" {
				m.leader, _ = strconv.Atoi(child)
			}
		}
		if m.leader == 0 {
			return false, "no systemd"
		}
		out, _ := m.try("timeout 120 systemctl is-system-running --wait") // fails until systemd listens
		return strings.TrimSpace(out) == "running", out
	})
}

// childrenOf are the numbers of a process's children; none when it has ended.
func childrenOf(pid int) string {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	return string(children)
}

func (m *machine) pid() string { return strconv.Itoa(m.leader) }

// powerOff ends it as a power cut does.
func (m *machine) powerOff() {
	if m.nspawn == nil {
		return
	}
	if m.leader != 0 {
		syscall.Kill(m.leader, syscall.SIGKILL)
	}
	m.nspawn.Process.Signal(syscall.SIGKILL)
	m.nspawn.Wait() // it was killed
	m.log.Close()
	m.nspawn, m.leader = nil, 0
	for _, g := range m.groups {
		removeGroup(g)
	}
}

// try runs a shell script on the machine and returns what it printed.
func (m *machine) try(script string) (string, error) {
	return command("", []string{"LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}, "nsenter", "-t", m.pid(), "-m", "-u", "-i", "-n", "-p", "-r", "-w",
		"sh", "-c", script)
}

func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		m.t.Fatalf("on %s: %v\n%s", m.name, err, m.journal())
	}
	return out
}

// journal is what its services have said last.
func (m *machine) journal() string {
	out, err := m.try("journalctl --no-pager -n 60 -o cat")
	if err != nil {
		return err.Error()
	}
	return out
}

// patience is how long a condition may take to come: only a failure takes that long, on whatever machine.
const patience = 3 * time.Minute

// until waits for a condition, and fails the test when it does not come.
func (m *machine) until(what string, cond func() (bool, string)) {
	m.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, now := cond()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%s: waited in vain until %s: %s\n%s", m.name, what, now, m.journal())
		}
		time.Sleep(100 * time.Millisecond) // what is asked for begins a program, too
	}
}
