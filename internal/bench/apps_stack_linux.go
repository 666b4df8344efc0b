package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// An appStack is a way to bring apps behind a balancer.
type appStack struct {
	stack
	quit func(app *node) error // stops the app in order
}

// appPatience is how long a client waits for an answer here: long enough to see the slowest.
const appPatience = 10 * time.Second

// appStacks are Tandem and the peers that were asked for.
func appStacks(peers []string) []*appStack {
	ours := &appStack{stack: *tandem(0), quit: (*node).stop}
	out := []*appStack{ours}
	if slices.Contains(peers, "serf") {
		out = append(out, serfStack())
	}
	if slices.Contains(peers, "haproxy") {
		out = append(out, retryStack())
	}
	for _, s := range out {
		s.patience = appPatience
	}
	return out
}

// serfStack is the teaching lab's own design: a Serf agent beside each app and each HAProxy,
// whose handlers rewrite haproxy.cfg and reload HAProxy. The VIP stands still on the first
// balancer: what moves it is no matter here.
func serfStack() *appStack {
	sh := func(script string) unit { return unit{path: "/bin/sh", args: []string{"-c", script}} }
	return &appStack{
		stack: stack{
			name: "serf + haproxy", peer: true, known: 2 * time.Second, vipOn: balancers[0].name,
			setUp: func(*node) error { return nil },
			balancer: func(i int) ([]unit, error) {
				dir := filepath.Join(os.Getenv(workVar), fmt.Sprint("serf-", time.Now().UnixNano()), balancers[i].name)
				err := errors.Join(os.MkdirAll(dir, 0o700), writeServers(dir, nil))
				self, e := os.Executable()
				handler := fmt.Sprintf("member-join,member-leave,member-failed,member-update=%s %s %s", self, serfHandlerArg, dir)
				return []unit{sh(reloadCommand(dir, "") + "; exec " + serfCommand(balancers[i], "lb") + " -event-handler '" + handler + "'")}, errors.Join(err, e)
			},
			app: func(p place) unit {
				return sh(tandemPath() + " " + strings.Join(webapp(p), " ") + " & exec " + serfCommand(p, "web"))
			},
			role: func([]string) role { return roleOther },
		},
		quit: func(app *node) error {
			for _, u := range app.services {
				u.forsake()
			}
			// In the kindest order: goodbye, and the app ends when HAProxy has had time to hear of it.
			if err := app.command(serfPath(), "leave"); err != nil {
				return err
			}
			time.Sleep(time.Second)
			return app.endAll()
		},
	}
}

// retryStack is HAProxy with its servers written down, told to try again elsewhere whatever
// may be tried again, and to check as often as Tandem's defaults do not.
func retryStack() *appStack {
	return &appStack{
		stack: stack{
			name: "haproxy, retry-on", peer: true, known: 2 * time.Second, vipOn: balancers[0].name,
			setUp: func(*node) error { return nil },
			balancer: func(i int) ([]unit, error) {
				dir := filepath.Join(os.Getenv(workVar), "retry")
				cfg := filepath.Join(dir, balancers[i].name+".cfg")
				err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(cfg, []byte(retryConf()), 0o600))
				return []unit{{path: haproxyPath, args: []string{"-q", "-db", "-f", cfg}}}, err
			},
			app:  func(p place) unit { return unit{path: tandemPath(), args: webapp(p)} },
			role: func([]string) role { return roleOther },
		},
		quit: (*node).stop,
	}
}

// command runs a program in the host to its end.
func (n *node) command(path string, args ...string) error {
	said := new(tail)
	p, err := n.host.Start(lab.Command{Path: path, Args: args, Stdout: said, Stderr: said})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-time.After(stopMax):
		return fmt.Errorf("%s in %s did not end within %v: %s", path, n.name, stopMax, said)
	}
	if err := p.Wait(); err != nil {
		return fmt.Errorf("%s in %s: %w: %s", path, n.name, err, said)
	}
	return nil
}

// endAll sends SIGTERM to all that runs on a host, and waits until nothing does.
func (n *node) endAll() error {
	all, err := n.processes()
	if err == nil {
		err = signalAll(all, syscall.SIGTERM)
	}
	for end := time.Now().Add(stopMax); err == nil && len(all) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%v did not end in %s", all, n.name)
		}
		all, err = n.processes()
	}
	return err
}

// appsPossible says what is missing here, if anything.
func appsPossible(o appsOptions) error {
	if err := lab.Preflight(); err != nil {
		return err
	}
	if len(o.peers) > 0 {
		return peerMissing()
	}
	return nil
}

// bringSerf builds Serf, outside this repository, unless an earlier run has, and leaves it in
// this run's folder.
func bringSerf(o appsOptions, work string) error {
	if !slices.Contains(o.peers, "serf") {
		return nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "tandem-bench", "serf-"+serfVersion)
	binary := filepath.Join(dir, "serf")
	if _, err := os.Stat(binary); err != nil {
		c := exec.CommandContext(context.Background(), "go", "install", "github.com/hashicorp/serf/cmd/serf@"+serfVersion)
		c.Dir = os.TempDir() // no module of ours
		c.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=")
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("build serf: %w", err)
		}
	}
	b, err := os.ReadFile(binary) // an ordinary user's cache is not to be seen by everybody in a lab
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(work, "serf"), b, 0o755)
}

func serfPath() string { return filepath.Join(os.Getenv(workVar), "serf") }

// aboutAppPeers notes the versions of those who were compared.
func aboutAppPeers(versions map[string]string, peers []string) {
	if len(peers) > 0 {
		versions["HAProxy"] = version(haproxyPath, "-v")
	}
	if slices.Contains(peers, "serf") {
		versions["Serf"] = strings.TrimPrefix(serfVersion, "v")
	}
}
