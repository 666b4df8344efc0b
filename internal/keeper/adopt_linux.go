package keeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// A keeper that was killed, or restarted alone, leaves a proxy that serves on and waits for
// another keeper at the meeting socket (E11). The new one has the lock, so there is no
// other; it gets all descriptors back and goes on with that process: no listening socket is
// ever closed, and no connection notices.

const (
	// meetPatience is how long a proxy that is alive may take to introduce itself. One that
	// does not is frozen: it would swallow connections, so it is killed.
	meetPatience = time.Second
	// maxLoops bounds what is believed of another version's proxy.
	maxLoops = 64
)

// found is a living proxy of an earlier keeper.
type found struct {
	conn      *ipc.Conn
	hello     *ipc.Orphan
	process   *os.Process
	progress  *progress
	listeners []*os.File // as hello.Start says
	meeting   *os.File
}

func (k *Keeper) meetingPath() string { return k.cfg.Control.Socket + ".proxy" }

// findProxy looks for a proxy to adopt. None is the usual case; one that cannot be adopted
// is ended, since nobody else would.
func (k *Keeper) findProxy() {
	conn, who, err := ipc.Meet(k.meetingPath())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ECONNREFUSED) {
			k.log.Warn("looking for a proxy of an earlier keeper", "err", err)
		}
		return
	}
	f, err := introduce(conn, who, identityFor(proxyName, proxyUID))
	if err != nil {
		conn.Close()
		k.log.Warn("an earlier keeper's proxy cannot be adopted", "pid", who.PID, "err", err, "killed", killProxy(who.PID))
		return
	}
	k.found = f
	k.closers = append(k.closers, func() error { f.close(); return nil })
	k.log.Info("adopting the proxy of an earlier keeper", "pid", who.PID, "since", f.hello.Since, "connections", f.hello.Clients.Total)
}

// introduce takes in who the proxy is and what it has.
func introduce(conn *ipc.Conn, who ipc.Who, expected identity) (_ *found, err error) {
	uid := uint32(os.Geteuid())
	if expected.cred != nil {
		uid = expected.cred.Uid
	}
	if who.UID != uid && who.UID != uint32(os.Geteuid()) {
		return nil, fmt.Errorf("it runs as user %d, not %d", who.UID, uid)
	}
	m, files, err := conn.First(meetPatience)
	if err != nil {
		return nil, fmt.Errorf("it does not introduce itself: %w", err)
	}
	defer func() {
		if err != nil {
			closeFiles(files)
		}
	}()
	hello, ok := m.(*ipc.Orphan)
	if !ok {
		return nil, fmt.Errorf("it introduces itself with %T", m)
	}
	loops := hello.Start.Loops
	if loops < 1 || loops > maxLoops || len(files) != 1+loops*len(hello.Start.Frontends)+1 {
		return nil, fmt.Errorf("it has %d loops, %d frontends and %d descriptors", loops, len(hello.Start.Frontends), len(files))
	}
	f := &found{conn: conn, hello: hello, listeners: files[1 : len(files)-1], meeting: files[len(files)-1]}
	if f.process, err = os.FindProcess(who.PID); err != nil { // by a pidfd: it cannot become another
		return nil, err
	}
	if f.progress, err = mapProgress(files[0], loops); err != nil {
		return nil, err
	}
	return f, nil
}

// close lets go of what nobody has taken over: the proxy is an orphan again.
func (f *found) close() {
	f.conn.Close()
	f.meeting.Close()
}

// take returns the listening sockets of a frontend, nil if the proxy has none of that
// address.
func (f *found) take(listen string) []*os.File {
	for i, fe := range f.hello.Start.Frontends {
		if n := f.hello.Start.Loops; fe.Listen == listen {
			files := slices.Clone(f.listeners[i*n : (i+1)*n])
			clear(f.listeners[i*n : (i+1)*n]) // taken
			return files
		}
	}
	return nil
}

// leave closes the listening sockets that nobody has taken: the proxy has its own
// descriptors of them.
func (f *found) leave() {
	for _, file := range f.listeners {
		if file != nil {
			file.Close()
		}
	}
}

// misfit says why the proxy that was found cannot be kept for good, "" if it can.
func (f *found) misfit(start ipc.ProxyStart) string {
	was := f.hello.Start
	was.LogLevel = start.LogLevel
	a, errA := json.Marshal(was)
	b, errB := json.Marshal(start)
	switch {
	case f.hello.Build == "" || f.hello.Build != ipc.Build():
		return "it is of another build"
	case errA != nil || errB != nil || !bytes.Equal(a, b):
		return "its configuration is another"
	}
	return ""
}

// killProxy ends a process, if it is a proxy of ours.
func killProxy(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	// Read after the handle is there: what is read is about that very process.
	line, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "cmdline"))
	if args := strings.Split(string(line), "\x00"); err != nil || len(args) < 2 || args[0] != "tandem" || args[1] != proxyName {
		return false
	}
	return p.Kill() == nil
}

// buildProxy makes the desk of the proxies: of the one that was found, or a new one.
func (k *Keeper) buildProxy(level slog.Level) error {
	f, loops := k.found, loopCount(k.cfg)
	if f != nil && f.hello.Start.Loops != loops {
		k.log.Warn("the number of the proxy's loops changes when the balancer is started anew", "loops", f.hello.Start.Loops, "configured", loops)
		loops = f.hello.Start.Loops // its sockets are as many, and are not to be lost
	}
	d := &proxyDesk{
		start: proxyStart(k.cfg, loops, int(level)), timeout: k.cfg.Proxy.Timeout, drainTime: k.cfg.Proxy.DrainTime,
		log: k.log, lastReason: "the proxy is starting",
	}
	k.loop.proxy = d
	var err error
	if d.accessLog, err = openAccessLog(d.start.LogFile); err != nil {
		return err
	}
	k.closers = append(k.closers, d.close)
	c := newChild(proxyName, proxyUID, k.log) // looks its user up, which the loop has no time for
	d.another = func() (*proxyEnd, error) {
		prog, err := newProgress(loops)
		if err != nil {
			return nil, err
		}
		again := &child{name: c.name, who: c.who, log: c.log, verdict: make(chan bool, 1)}
		return &proxyEnd{desk: desk{child: again, log: k.log}, progress: prog}, nil
	}
	if f == nil {
		if d.now, err = d.another(); err != nil {
			return err
		}
		if d.meeting, err = ipc.NewMeeting(k.meetingPath()); err != nil {
			k.log.Warn("should this keeper die, no other can adopt its proxy", "err", err)
		} else {
			k.closers = append(k.closers, d.meeting.Close)
		}
	} else {
		if d.swap.wanted = f.misfit(d.start); d.swap.wanted != "" {
			k.log.Info("the adopted proxy serves until another is warm", "reason", d.swap.wanted)
		}
		c.found = f
		d.now, d.meeting = &proxyEnd{desk: desk{child: c, log: k.log}, progress: f.progress, adopted: f.hello}, f.meeting
	}
	return k.listenFrontends(d, loops)
}

// listenFrontends opens the listening sockets, but for those that the proxy that was found
// has.
func (k *Keeper) listenFrontends(d *proxyDesk, loops int) error {
	for _, f := range k.cfg.Frontends {
		var files []*os.File
		if k.found != nil {
			files = k.found.take(listenText(f.Listen))
		}
		if files == nil {
			var err error
			if files, err = listenFrontend(f.Listen, loops); err != nil {
				return fmt.Errorf("frontend %s: %w", f.Name, err)
			}
		}
		d.listeners = append(d.listeners, files...)
	}
	if k.found != nil {
		k.found.leave()
	}
	return nil
}

// forgetMeeting removes the meeting socket after an orderly end: there is nobody to meet.
func (k *Keeper) forgetMeeting() {
	if err := os.Remove(k.meetingPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("meeting socket", "err", err)
	}
}
