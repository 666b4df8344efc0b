package keeper

import (
	"fmt"
	"os"
	"os/user"
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
}

// runnerDesks makes one for each user of hooks and templates. A user that there is not is an error.
func (k *Keeper) runnerDesks(level int) ([]*runnerDesk, error) {
	var desks []*runnerDesk
	of := make(map[string]*runnerDesk)
	deskOf := func(name string) (*runnerDesk, error) {
		if d := of[name]; d != nil {
			return d, nil
		}
		who, err := identityOf(name)
		if err != nil {
			return nil, err
		}
		c := k.newChild(runnerName, moverUID)
		c.who = who
		d := &runnerDesk{desk: desk{child: c, log: k.log}, user: name, start: ipc.RunnerStart{LogLevel: level}}
		of[name], desks = d, append(desks, d)
		return d, nil
	}
	for _, h := range k.cfg.Hooks {
		d, err := deskOf(h.User)
		if err != nil {
			return nil, fmt.Errorf("hook %s: %w", h.Name, err)
		}
		d.start.Hooks = append(d.start.Hooks, ipc.Program{Name: h.Name, Argv: h.Command, Timeout: h.Timeout})
	}
	for _, t := range k.cfg.Templates {
		d, err := deskOf(t.User)
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", t.Source, err)
		}
		d.start.Templates = append(d.start.Templates, ipc.TemplateJob{
			Source: t.Source, Target: t.Target, Check: t.Check, Reload: t.Reload, Timeout: t.Timeout, Keep: t.Keep,
		})
	}
	return desks, nil
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

// runnerOf returns the desk of a child, or nil.
func (l *loop) runnerOf(c *child) *runnerDesk {
	for _, d := range l.control.runners {
		if d.child == c {
			return d
		}
	}
	return nil
}

func (d *runnerDesk) started(conn *ipc.Conn) {
	d.conn = conn
	start := d.start // a copy, since what is sent is read later
	d.send(&start)
}
