package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

// warmTime bounds the wait for the first check of each backend that a reload brings. One
// that does not answer within it is found down later, as any other.
const warmTime = 3 * time.Second

// reloading is another configuration that this proxy is prepared for.
type reloading struct {
	id    uint64
	start *ipc.ProxyStart
	fresh map[string][]*os.File // listening sockets by Listen
	began time.Time
	told  bool // the keeper knows that this proxy is warm for it
}

// prepare takes in another configuration: all of it is checked, the new pools are there
// from now on so that their backends can be checked, and nothing else changes.
func (p *Process) prepare(m *ipc.Prepare, files []*os.File) {
	err := p.tryPrepare(m, files)
	answer := &ipc.Prepared{ID: m.ID}
	if err != nil {
		closeAll(files)
		answer.Error = err.Error()
	}
	p.tell(answer)
}

func (p *Process) tryPrepare(m *ipc.Prepare, files []*os.File) error {
	if p.reload != nil {
		p.abort()
	}
	switch {
	case m.Proxy == nil:
		return errors.New("the keeper sent a reload without orders for the proxy")
	case !p.serves || p.files == nil:
		return errors.New("this proxy does not serve")
	}
	if key := p.start.Fixed(m.Proxy); key != "" {
		return fmt.Errorf("the proxy cannot change its %s while it runs", key)
	}
	r := &reloading{id: m.ID, start: m.Proxy, fresh: map[string][]*os.File{}, began: time.Now()}
	loops := p.start.Loops
	for _, f := range r.start.Frontends {
		if p.listeners[f.Listen] != nil || r.fresh[f.Listen] != nil {
			continue
		}
		if len(files) < loops {
			return fmt.Errorf("the keeper sent no sockets for frontend %s", f.Name)
		}
		r.fresh[f.Listen], files = files[:loops], files[loops:]
	}
	if len(files) > 0 {
		return fmt.Errorf("the keeper sent %d sockets too many", len(files))
	}
	fds := make([]int, loops*len(r.start.Frontends)) // only their number counts
	frontends, err := frontendConfigs(r.start.Frontends, fds, loops)
	if err != nil {
		return err
	}
	pools, err := poolConfigs(r.start.Pools)
	if err != nil {
		return err
	}
	if err := p.core.Validate(pools, frontends); err != nil {
		return err
	}
	both := slices.Clone(p.start.Pools)
	for _, pool := range r.start.Pools {
		if !slices.ContainsFunc(both, func(o ipc.PoolPolicy) bool { return o.Name == pool.Name }) {
			both = append(both, pool)
		}
	}
	if err := p.setPools(both); err != nil {
		return err
	}
	p.reload = r
	return nil
}

// lookWhetherWarm tells the keeper, once, when each backend has been checked that control
// has named for the reload.
func (p *Process) lookWhetherWarm() {
	r := p.reload
	if r == nil || r.told || p.listedFor.Load() != r.id {
		return
	}
	if cold := coldBackend(p.core.Snapshot()); cold != "" {
		if time.Since(r.began) < warmTime {
			return
		}
		p.log.Warn("a backend has not been checked in time; the reload goes on", "backend", cold)
	}
	r.told = true
	p.tell(&ipc.Warm{ID: r.id})
}

// coldBackend names a backend that no check has come back from yet.
func coldBackend(s lbcore.Snapshot) string {
	for _, pool := range s.Pools {
		for _, b := range pool.Backends {
			if b.CheckedAt.IsZero() {
				return pool.Name + "/" + b.ID
			}
		}
	}
	return ""
}

// commit brings what was prepared into effect. Frontends change BEFORE the pools that they
// leave are closed, and the sockets of those that go are closed here BEFORE lbcore serves
// what waits on them for the last time.
func (p *Process) commit(m *ipc.Commit) error {
	r := p.reload
	if r == nil || r.id != m.ID {
		return p.tell(&ipc.Committed{ID: m.ID, Error: "this proxy is not prepared for it"})
	}
	p.endReload()
	files, listeners := p.files[:1:1], map[string][]int{}
	var all []int
	for _, f := range r.start.Frontends {
		mine := r.fresh[f.Listen]
		fds := p.listeners[f.Listen]
		if fds == nil {
			for _, file := range mine {
				fd, err := ipc.Copy(file) // lbcore's; the file stays, for a new keeper
				if err != nil {
					return err
				}
				fds = append(fds, fd)
			}
		} else {
			mine = p.filesOf(f.Listen)
		}
		files, all = append(files, mine...), append(all, fds...)
		listeners[f.Listen] = fds
	}
	for _, file := range p.files {
		if !slices.Contains(files, file) {
			file.Close()
		}
	}
	p.files = files
	frontends, err := frontendConfigs(r.start.Frontends, all, r.start.Loops)
	if err != nil {
		return err
	}
	if err := p.core.SetFrontends(frontends); err != nil {
		return err
	}
	if err := p.setPools(r.start.Pools); err != nil {
		return err
	}
	p.start, p.listeners = r.start, listeners
	p.level.Set(slog.Level(p.start.LogLevel))
	return p.tell(&ipc.Committed{ID: m.ID})
}

// filesOf returns the sockets of a frontend that there is.
func (p *Process) filesOf(listen string) []*os.File {
	for i, f := range p.start.Frontends {
		if n := p.start.Loops; f.Listen == listen {
			return p.files[1+i*n : 1+(i+1)*n]
		}
	}
	return nil
}

// abort forgets what was prepared.
func (p *Process) abort() {
	r := p.reload
	if r == nil {
		return
	}
	p.endReload()
	for _, files := range r.fresh {
		closeAll(files)
	}
	if err := p.setPools(p.start.Pools); err != nil {
		p.log.Error("taking back the pools of a reload", "err", err)
	}
}

func (p *Process) endReload() {
	p.reload = nil
	p.listedFor.Store(0)
}
