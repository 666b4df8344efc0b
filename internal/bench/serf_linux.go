package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// serfVersion is the one that is compared.
const serfVersion = "v0.10.2"

// serfHandlerArg is the hidden command that this program is as Serf's event handler.
const serfHandlerArg = "serf-handler"

// serfCommand is the command line of a place's agent. Everybody tries both balancers once a
// second until one is there; the other settings are Serf's own.
func serfCommand(p place, role string) string {
	words := []string{
		serfPath(), "agent", "-node", p.name, "-bind", p.at(7946), "-tag", "role=" + role, "-log-level", "warn",
		"-retry-interval", "1s",
	}
	for _, b := range balancers {
		words = append(words, "-retry-join", b.at(7946))
	}
	return strings.Join(words, " ")
}

// serfHandler is what Serf runs on each event, as the lab's handlers do: it writes
// haproxy.cfg anew with all apps that are there, and has HAProxy reload it.
func serfHandler(dir string) error {
	text, err := exec.Command(serfPath(), "members", "-format", "json", "-status", "alive", "-tag", "role=web").Output()
	if err != nil {
		return fmt.Errorf("serf members: %w", err)
	}
	var list struct {
		Members []struct{ Name, Addr string }
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	var servers []string
	for _, m := range list.Members {
		host, _, err := net.SplitHostPort(m.Addr)
		if err != nil {
			return err
		}
		servers = append(servers, fmt.Sprintf("server %s %s:%d check", m.Name, host, appPort))
	}
	slices.Sort(servers)
	before, _ := os.ReadFile(serversFile(dir))
	if err := writeServers(dir, servers); err != nil {
		return err
	}
	if after, err := os.ReadFile(serversFile(dir)); err == nil && bytes.Equal(before, after) {
		return nil // kinder than the lab's: nothing new, no reload
	}
	pid, err := os.ReadFile(filepath.Join(dir, "haproxy.pid"))
	if err != nil {
		return err
	}
	said, err := exec.Command("/bin/sh", "-c", reloadCommand(dir, strings.TrimSpace(string(pid)))).CombinedOutput()
	if err != nil {
		return fmt.Errorf("reload: %w: %s", err, said)
	}
	return nil
}

func serversFile(dir string) string { return filepath.Join(dir, "haproxy.cfg") }

// writeServers writes the file as the lab's template has it, whole or not at all.
func writeServers(dir string, servers []string) error {
	text := `defaults
	mode http
	timeout connect 5000
	timeout client 50000
	timeout server 50000
frontend site
	bind :` + fmt.Sprint(sitePort) + `
	default_backend web
backend web
	balance roundrobin
`
	for _, s := range servers {
		text += "\t" + s + "\n"
	}
	part := serversFile(dir) + ".new"
	return errors.Join(os.WriteFile(part, []byte(text), 0o600), os.Rename(part, serversFile(dir)))
}

// reloadCommand starts an HAProxy that takes the place of the one with that pid, if any.
func reloadCommand(dir, pid string) string {
	cmd := fmt.Sprintf("%s -q -D -f %s -p %s", haproxyPath, serversFile(dir), filepath.Join(dir, "haproxy.pid"))
	if pid != "" {
		cmd += " -sf " + pid
	}
	return cmd
}

// retryConf is HAProxy's own best against the death of an app: everything that may be is
// tried again on another server, dead servers are noticed by requests as well as by checks,
// and what still waits for them is ended.
func retryConf() string {
	text := `defaults
	mode http
	timeout connect 1s
	timeout client 50s
	timeout server 50s
	retries 3
	option redispatch 1
	retry-on all-retryable-errors
	default-server check inter 1s fall 3 rise 2 fastinter 100ms observe layer4 error-limit 1 on-error mark-down on-marked-down shutdown-sessions
frontend site
	bind :` + fmt.Sprint(sitePort) + `
	default_backend web
backend web
	balance roundrobin
	option httpchk GET /healthz
`
	for _, a := range apps {
		text += fmt.Sprintf("\tserver %s %s\n", a.name, a.at(appPort))
	}
	return text
}
