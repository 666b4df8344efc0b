package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A host of the lab has no systemd. Where a document says systemctl, this binary stands in
// for it, called by that name: it starts what a unit's ExecStart says, waits until it is
// ready, as Type=notify does, and ends it by SIGTERM. The units are found in unitsVar, a list
// as PATH is; what runs is known by its number in /run, which is the host's own.

const unitsVar = "TANDEM_E2E_UNITS"

// systemctl returns the exit code; args are start, stop, enable or disable, --now perhaps, and
// names of units. Nothing is ever enabled here: a host of the lab does not boot.
func systemctl(args []string) int {
	var do string
	now := false
	var units []string
	for _, a := range args {
		switch {
		case a == "--now":
			now = true
		case do == "":
			do = a
		default:
			units = append(units, a)
		}
	}
	act := map[string]func(string) error{"start": startUnit, "stop": stopUnit}[do]
	switch {
	case do == "enable" && now:
		act = startUnit
	case do == "disable" && now:
		act = stopUnit
	case do == "enable" || do == "disable":
		act = func(u string) error { _, err := readUnit(u); return err }
	case act == nil:
		act = func(string) error { return fmt.Errorf("unknown command %q", do) }
	}
	for _, u := range units {
		if err := act(u); err != nil {
			fmt.Fprintf(os.Stderr, "systemctl %s %s: %v\n", do, u, err)
			return 1
		}
	}
	return 0
}

// A unit is as much of a unit's file as matters here.
type unit struct {
	start  string   // ExecStart
	env    []string // Environment and EnvironmentFile, NAME=VALUE
	notify bool
}

func readUnit(name string) (u unit, err error) {
	for _, dir := range filepath.SplitList(os.Getenv(unitsVar)) {
		text, err := os.ReadFile(filepath.Join(dir, name+".service"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return u, err
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "ExecStart":
				u.start = value
			case "Type":
				u.notify = value == "notify"
			case "Environment":
				u.env = append(u.env, strings.Split(strings.Trim(value, `"`), `" "`)...)
			}
		}
		return u, nil
	}
	return u, fmt.Errorf("unit %s.service not found in %s", name, os.Getenv(unitsVar))
}

func pidFile(unit string) string { return "/run/systemctl-" + unit + ".pid" }

func startUnit(name string) error {
	u, err := readUnit(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(pidFile(name)); err == nil {
		return nil // as systemd: it runs
	}
	home := filepath.Join("/run", name) // RuntimeDirectory, and in place of StateDirectory
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	socket := "/run/systemctl-" + name + ".notify"
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer l.Close()
	defer os.Remove(socket)
	log, err := os.OpenFile("/run/systemctl-"+name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", "-c", "exec "+u.start)
	cmd.Env = append(append(os.Environ(), u.env...), "NOTIFY_SOCKET="+socket, "STATE_DIRECTORY="+home)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(pidFile(name), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		return err
	}
	if !u.notify {
		return nil
	}
	return ready(name, l, cmd, log.Name())
}

// ready waits for READY=1, or for the pid file of keepalived, which tells only a systemd that is
// process 1.
func ready(name string, l *net.UnixConn, cmd *exec.Cmd, log string) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	buf := make([]byte, 4096)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		l.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		n, _ := l.Read(buf) // nothing yet, most of the time
		if slices.Contains(strings.Split(string(buf[:n]), "\n"), "READY=1") {
			return nil
		}
		if _, err := os.Stat("/run/keepalived.pid"); err == nil && name == "keepalived" {
			return nil
		}
		select {
		case err := <-ended:
			said, _ := os.ReadFile(log) // what there is of it
			return fmt.Errorf("it ended: %v; its log: %s", err, said)
		default:
		}
	}
	said, _ := os.ReadFile(log)
	return fmt.Errorf("not ready within %v; its log: %s", patience, said)
}

// stopUnit ends it in order, and returns when it is gone.
func stopUnit(name string) error {
	text, err := os.ReadFile(pidFile(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	for end := time.Now().Add(patience); !gone(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("process %d did not end within %v", pid, patience)
		}
	}
	return os.Remove(pidFile(name))
}

// gone tells whether a process has ended; one that nobody has waited for has.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(after, "Z")
}
