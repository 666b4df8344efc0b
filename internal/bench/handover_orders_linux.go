package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// planned returns how a product does a planned switch, and a fresh stack for it; nil: it has
// no such thing.
func planned(kind, name string) (do func(*planner) error, st *stack) {
	if kind == "tandem" {
		st = tandem(0)
		do = map[string]func(*planner) error{
			"handovers": tandemMoves, "upgrade": tandemUpgrade, "preempt": tandemPreempt, "reload-proxy": tandemReload, crashName: crash,
		}[name]
		if name == "preempt" {
			st.balancer = preferring
		}
	} else {
		st = keepalived(settings[0])
		do = map[string]func(*planner) error{"handovers": peerMoves, "upgrade": peerUpgrade, crashName: crash}[name]
	}
	st.patience = 5 * time.Second
	return do, st
}

// between is the pause between two moves: connections come to both nodes meanwhile.
const between = 500 * time.Millisecond

func tandemMoves(p *planner) error {
	for range p.o.moves {
		err := p.moved(func(from *node) error {
			said, err := from.tandem("handover")
			if err == nil && !strings.Contains(said, "no connection was lost") {
				err = errors.New(said)
			}
			return err
		})
		if err = errors.Join(err, p.rest(between)); err != nil {
			return err
		}
	}
	return nil
}

// tandemUpgrade ends each node in order, the backup first, and starts it with another binary.
func tandemUpgrade(p *planner) error {
	next := filepath.Join(os.Getenv(workVar), "tandem-next")
	text, err := os.ReadFile(tandemPath())
	if err == nil {
		err = os.WriteFile(next, text, 0o755)
	}
	if err != nil {
		return err
	}
	active, err := p.onlyActive()
	if err != nil {
		return err
	}
	backup := p.other(active)
	if err := errors.Join(backup.stop(), backup.startAs(next), p.untilReady(active, backup)); err != nil {
		return err
	}
	if err := p.movedTo(backup, active.stop); err != nil {
		return err
	}
	return errors.Join(active.startAs(next), p.untilReady(backup, active), p.rest(time.Second))
}

// startAs starts a node's daemons by another path.
func (n *node) startAs(path string) error {
	for _, s := range n.services {
		s.path = path
	}
	return n.start()
}

// untilReady waits until a backup carries requests and the active knows how to hand over to
// it: with a node that has just started it has no state channel for up to a second, and what
// status says may be as old.
func (p *planner) untilReady(active, backup *node) error {
	const old = 2 * time.Second
	since := time.Now()
	return p.until(backup.name+" is ready to take over", func() (ready bool) {
		defer func() {
			if !ready {
				since = time.Now()
			}
			ready = ready && time.Since(since) > old
		}()
		said, err := active.tandem("status", "--json")
		var st struct {
			Groups []struct{ State, Lossy string }
		}
		if err != nil || json.Unmarshal([]byte(said), &st) != nil || len(st.Groups) == 0 {
			return false
		}
		return st.Groups[0].State == "active" && st.Groups[0].Lossy == "" && p.carries(backup)
	})
}

// preferring is Tandem's configuration with a first node that is preferred.
func preferring(i int) ([]unit, error) {
	file := filepath.Join(os.Getenv(workVar), "preempt-"+balancers[i].name+".toml")
	text := fmt.Sprintf("[node.%s]\npriority = 200\n[cluster]\njoin = [%q, %q]\n[[vip]]\naddress = %q\npreempt = true\n[[frontend]]\nlisten = \":%d\"\npool = \"web\"\n[pool.web]\n",
		balancers[0].name, balancers[0].addr.Addr(), balancers[1].addr.Addr(), vip, sitePort)
	return []unit{{path: tandemPath(), args: []string{"lb", "--config", file}}}, os.WriteFile(file, []byte(text), 0o600)
}

// tandemPreempt ends the preferred node in order, and starts it again.
func tandemPreempt(p *planner) error {
	home, other := p.lbs[0], p.lbs[1]
	if err := p.until(home.name+" is active", func() bool { return p.active() == home }); err != nil {
		return err
	}
	if err := p.untilReady(home, other); err != nil {
		return err
	}
	if err := p.movedTo(other, home.stop); err != nil {
		return err
	}
	return errors.Join(p.movedTo(home, home.start), p.rest(between))
}

func tandemReload(p *planner) error {
	for range p.o.moves {
		n, err := p.onlyActive()
		if err != nil {
			return err
		}
		if _, err := n.tandem("reload", "--proxy"); err != nil {
			return err
		}
		if err := p.rest(between); err != nil {
			return err
		}
	}
	return nil
}

// commandMax bounds one command.
const commandMax = time.Minute

// tandem runs one of Tandem's commands in a node and returns what it said.
func (n *node) tandem(args ...string) (string, error) {
	var out, errs tail
	c, err := n.host.Start(lab.Command{Path: tandemPath(), Args: args, Stdout: &out, Stderr: &errs})
	if err != nil {
		return "", err
	}
	select {
	case <-c.Done():
	case <-time.After(commandMax):
		return "", fmt.Errorf("tandem %v in %s: no end within %v", args, n.name, commandMax)
	}
	if err := c.Wait(); err != nil {
		return "", fmt.Errorf("tandem %v in %s: %w: %s", args, n.name, err, &errs)
	}
	return out.String(), nil
}

// peerMoves stops what is active in order, and starts it again, whereupon it takes the VIP
// back, as keepalived does.
func peerMoves(p *planner) error {
	for p.r.Moves < p.o.moves {
		home, other := p.lbs[0], p.lbs[1]
		if err := p.movedTo(other, home.stopGracefully); err != nil {
			return err
		}
		if err := errors.Join(p.rest(between), p.movedTo(home, home.start), p.rest(between)); err != nil {
			return err
		}
	}
	return nil
}

// peerUpgrade stops and starts one node after the other, the backup first.
func peerUpgrade(p *planner) error {
	home, other := p.lbs[0], p.lbs[1]
	if err := errors.Join(other.stopGracefully(), other.start(), p.until(other.name+" serves", func() bool { return p.carries(other) })); err != nil {
		return err
	}
	if err := p.movedTo(other, home.stopGracefully); err != nil {
		return err
	}
	return errors.Join(p.movedTo(home, home.start), p.rest(time.Second))
}

// softMax is how long HAProxy may go on with what it has after its soft stop.
const softMax = 10 * time.Second

// stopGracefully is the kindest end there is: keepalived hands the VIP over, then HAProxy
// finishes what it has (SIGUSR1, its soft stop), and only then is it told to end.
func (n *node) stopGracefully() error {
	if err := n.services[0].stop(); err != nil {
		return err
	}
	soft := n.services[1]
	soft.forsake()
	if err := soft.proc.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	select {
	case <-soft.proc.Done():
		return nil
	case <-time.After(softMax):
		return soft.stop()
	}
}
