package keeper

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/user"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/ipc"
)

const (
	runnerName = "runner"
	// runnerGrace bounds the end of a runner; for half of it its programs may go on.
	runnerGrace = 3 * time.Second
)

// runnerDesk tells a runner, the process that runs hooks as one user, what it may run.
type runnerDesk struct {
	desk
	user  string
	start ipc.RunnerStart
	next  ipc.RunnerStart // of the reload that it was prepared for
}

// runnerStarts returns what the runner of each user of hooks and templates is told.
func runnerStarts(c *config.Config, number uint64) map[string]ipc.RunnerStart {
	starts := make(map[string]ipc.RunnerStart)
	of := func(user string) ipc.RunnerStart {
		if s, known := starts[user]; known {
			return s
		}
		return ipc.RunnerStart{Programs: number, LogLevel: int(c.Log.Level)}
	}
	for _, h := range c.Hooks {
		s := of(h.User)
		s.Hooks = append(s.Hooks, ipc.Program{Name: h.Name, Argv: h.Command, Timeout: h.Timeout})
		starts[h.User] = s
	}
	for _, t := range c.Templates {
		s := of(t.User)
		s.Templates = append(s.Templates, ipc.TemplateJob{
			Source: t.Source, Target: t.Target, Check: t.Check, Reload: t.Reload, Timeout: t.Timeout, Keep: t.Keep,
		})
		starts[t.User] = s
	}
	return starts
}

// newRunners makes a desk for each user, in their order. A user that there is not is an error.
func newRunners(starts map[string]ipc.RunnerStart, c *config.Config, log *slog.Logger) (desks []*runnerDesk, err error) {
	for _, name := range slices.Sorted(maps.Keys(starts)) {
		who, err := identityOf(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", firstOf(c, name), err)
		}
		child := newChild(runnerName, moverUID, log)
		child.who = who
		desks = append(desks, &runnerDesk{desk: desk{child: child, log: log}, user: name, start: starts[name]})
	}
	return desks, nil
}

// firstOf names the first hook or template of a user.
func firstOf(c *config.Config, user string) string {
	for _, h := range c.Hooks {
		if h.User == user {
			return "hook " + h.Name
		}
	}
	for _, t := range c.Templates {
		if t.User == user {
			return "template " + t.Source
		}
	}
	return "user " + user
}

// identityOf is a user that was asked for by name, with its groups. The default one need
// not exist.
func identityOf(name string) (identity, error) {
	u, err := user.Lookup(name)
	if err != nil && name == config.DefaultUser {
		return identityFor(moverName, moverUID), nil
	}
	if err != nil {
		return identity{}, fmt.Errorf("%w; create it: useradd --system %s", err, name)
	}
	uid, gid := parseID(u.Uid, moverUID), parseID(u.Gid, moverUID)
	if int(uid) == os.Geteuid() && int(gid) == os.Getegid() {
		return identity{note: "the keeper's own user, as configured"}, nil
	}
	if !hasCap(unix.CAP_SETUID) || !hasCap(unix.CAP_SETGID) {
		return identity{}, fmt.Errorf("the keeper may not become the user %s (no CAP_SETUID)", name)
	}
	if lacks := unmapped(uid, gid); lacks != "" {
		return identity{}, fmt.Errorf("this user namespace has no user %s (%s)", name, lacks)
	}
	cred := &syscall.Credential{Uid: uid, Gid: gid}
	groups, err := u.GroupIds()
	if err != nil {
		return identity{}, fmt.Errorf("groups of %s: %w", name, err)
	}
	for _, g := range groups {
		if id := parseID(g, gid); id != gid {
			cred.Groups = append(cred.Groups, id)
		}
	}
	return identity{cred: cred}, nil
}

// runnerOf returns the desk of a child, or nil: it has been let go.
func (l *loop) runnerOf(c *child) *runnerDesk {
	for _, d := range l.allRunners() {
		if d.child == c {
			return d
		}
	}
	return nil
}

// allRunners are those there are, and those that a reload under way brings.
func (l *loop) allRunners() []*runnerDesk {
	if r := l.reloads.now; r != nil {
		return slices.Concat(l.control.runners, r.runners)
	}
	return l.control.runners
}

func (d *runnerDesk) started(conn *ipc.Conn) {
	d.conn = conn
	start := d.start // a copy, since what is sent is read later
	d.send(&start)
}
