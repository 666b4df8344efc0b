package keeper

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/ipc"
)

const oneHook = "[[hook]]\nname = \"h\"\nevents = [\"fault\"]\ncommand = [\"/bin/true\"]\n"

// hooked is a company with a runner of tandem-hook's, that reloads from one configuration to
// another, as far as the runners.
func hooked(t *testing.T, from, to string) (c *company, heard chan ipc.Message) {
	t.Helper()
	c, _ = newCompany(t)
	c.l.control.run = func(ch *child) { c.started = append(c.started, ch) }
	old, err := loadReference(t, from)
	if err != nil {
		t.Fatal(err)
	}
	if c.l.control.runners, err = newRunners(runnerStarts(old, 0), old, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for _, d := range c.l.control.runners {
		conn, said := joined(t)
		c.l.childStarted(childStarted{d.child, conn})
		heard = said
	}
	c.reloading(from, to)
	c.says(c.l.proxy.now, &ipc.Prepared{ID: 1})
	return c, heard
}

// commits is what the commit means for runners.
func (c *company) commits() {
	r := c.l.reloads.now
	c.l.commitRunners(r)
	r.waits = map[string]bool{proxyName: true, controlName: true}
}

func TestAReloadHasTheRunnerOfAUserPrepareAndCommit(t *testing.T) {
	c, heard := hooked(t, reloadBase+oneHook, reloadBase+strings.Replace(oneHook, "/bin/true", "/bin/false", 1))
	d := c.l.control.runners[0]
	if m := next[*ipc.Prepare](t, heard); m.Runner.Programs != 1 || m.Runner.Hooks[0].Argv[0] != "/bin/false" {
		t.Errorf("prepares %+v", m.Runner)
	}
	if d.start.Hooks[0].Argv[0] != "/bin/true" {
		t.Error("a runner that is started again before the commit would run what is not in effect")
	}
	c.l.childMessage(childMessage{d.child, &ipc.Prepared{ID: 1}})
	if m := next[*ipc.Prepare](t, c.control); m.Control.Programs != 1 {
		t.Errorf("control prepares %+v", m.Control)
	}
	c.commits()
	next[*ipc.Commit](t, heard)
	if len(c.l.control.runners) != 1 || d.start.Hooks[0].Argv[0] != "/bin/false" || d.start.Programs != 1 {
		t.Errorf("in effect is %+v", d.start)
	}
}

func TestAUserThatHadNoneGetsARunnerBeforeControlIsAsked(t *testing.T) {
	c, _ := hooked(t, reloadBase, reloadBase+oneHook)
	if len(c.started) != 1 || len(c.l.control.runners) != 0 {
		t.Fatalf("started %d runners, %d in effect; want one that is not", len(c.started), len(c.l.control.runners))
	}
	child := c.started[0]
	conn, heard := joined(t)
	c.l.childStarted(childStarted{child, conn})
	if m := next[*ipc.RunnerStart](t, heard); m.Programs != 1 || len(m.Hooks) != 1 {
		t.Errorf("it is started with %+v", m)
	}
	m := next[*ipc.Link](t, c.control)
	for m.Runner == "" { // the proxy's
		m = next[*ipc.Link](t, c.control)
	}
	if m.Runner != "tandem-hook" {
		t.Errorf("control is joined to the runner of %q", m.Runner)
	}
	c.l.childMessage(childMessage{child, &ipc.Ready{}})
	next[*ipc.Prepare](t, c.control)
	c.commits()
	if len(c.l.control.runners) != 1 || c.l.control.runners[0].child != child {
		t.Errorf("in effect are %d", len(c.l.control.runners))
	}
	c.l.childEnded(childEnded{child, nil})
	if !<-child.verdict {
		t.Error("it is not started again")
	}
}

func TestARunnerForAReloadThatFailsIsLetGo(t *testing.T) {
	c, _ := hooked(t, reloadBase, reloadBase+oneHook)
	child := c.started[0]
	c.l.prepared(controlName, &ipc.Prepared{ID: 1, Error: "template for /x: no"})
	if o := c.outcome(); !strings.Contains(o.Error, "/x: no") {
		t.Errorf("told %+v", o)
	}
	conn, heard := joined(t) // it comes up too late
	c.l.childStarted(childStarted{child, conn})
	for range heard {
	}
	c.l.childEnded(childEnded{child, nil})
	if <-child.verdict {
		t.Error("it is started again")
	}
}

func TestARunnerThatDiesBeforeTheCommitEndsTheReloadAndIsStartedAgain(t *testing.T) {
	c, _ := hooked(t, reloadBase+oneHook, reloadBase+oneHook+strings.Replace(oneHook, `"h"`, `"i"`, 1))
	d := c.l.control.runners[0]
	c.l.childEnded(childEnded{d.child, nil})
	if o := c.outcome(); !strings.Contains(o.Error, "the runner of tandem-hook ended") {
		t.Errorf("told %+v", o)
	}
	if !<-d.child.verdict {
		t.Error("it is not started again")
	}
}

func TestARunnerWithoutWorkIsToldSoAndNotStartedAgain(t *testing.T) {
	c, heard := hooked(t, reloadBase+oneHook, reloadBase)
	d := c.l.control.runners[0]
	if m := next[*ipc.Prepare](t, heard); m.Runner == nil || len(m.Runner.Hooks) != 0 {
		t.Errorf("prepares %+v", m.Runner)
	}
	c.l.childMessage(childMessage{d.child, &ipc.Prepared{ID: 1}})
	c.commits()
	if len(c.l.control.runners) != 0 {
		t.Error("it is still wanted")
	}
	c.l.childEnded(childEnded{d.child, nil})
	if <-d.child.verdict {
		t.Error("it is started again")
	}
}

// One that is being started again when a reload begins does not stand in its way.
func TestARunnerThatComesBackDuringAReloadIsPreparedToo(t *testing.T) {
	c, _ := newCompany(t)
	old, err := loadReference(t, reloadBase+oneHook)
	if err != nil {
		t.Fatal(err)
	}
	if c.l.control.runners, err = newRunners(runnerStarts(old, 0), old, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	c.reloading(reloadBase+oneHook, reloadBase+strings.Replace(oneHook, "/bin/true", "/bin/false", 1))
	c.says(c.l.proxy.now, &ipc.Prepared{ID: 1})
	next[*ipc.Prepare](t, c.control)
	conn, heard := joined(t)
	c.l.childStarted(childStarted{c.l.control.runners[0].child, conn})
	if m := next[*ipc.RunnerStart](t, heard); m.Hooks[0].Argv[0] != "/bin/true" {
		t.Errorf("it is started with %+v", m)
	}
	if m := next[*ipc.Prepare](t, heard); m.Runner.Hooks[0].Argv[0] != "/bin/false" {
		t.Errorf("prepares %+v", m.Runner)
	}
	c.commits()
	next[*ipc.Commit](t, heard)
}
