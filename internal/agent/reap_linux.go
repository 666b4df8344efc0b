package agent

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// reaper collects orphans, which fall to process 1, and nobody else: what the agent has started belongs to its process.
type reaper struct {
	mu  sync.Mutex   // protects own; held while a process is started, so that none is taken for an orphan
	own map[int]bool // pids of what the agent has started, and not forgotten
}

// start starts a process under the reaper's eyes.
func (r *reaper) start(begin func() (*process, error)) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, err := begin()
	if err == nil {
		if r.own == nil {
			r.own = map[int]bool{}
		}
		r.own[p.cmd.Process.Pid] = true
	}
	return p, err
}

// forget says that p has ended and was waited for: its pid may be anybody's now.
func (r *reaper) forget(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.own, p.cmd.Process.Pid)
}

// loop reaps until ctx ends, if this is process 1.
func (r *reaper) loop(ctx context.Context) {
	if os.Getpid() != 1 {
		return
	}
	died := make(chan os.Signal, 1) // one is enough: reap takes all
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	for {
		r.reap()
		select {
		case <-died:
		case <-ctx.Done():
			return
		}
	}
}

// reap collects all dead children but those that the agent has started: wait4(-1) would take their status from under
// their process.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pid := range deadChildren(os.Getpid()) {
		if !r.own[pid] {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// deadChildren returns the zombies that wait for parent, by proc(5).
func deadChildren(parent int) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	var dead []int
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// pid (name) state ppid …, where the name may hold spaces and brackets
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 2 || string(fields[0]) != "Z" || string(fields[1]) != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			dead = append(dead, pid)
		}
	}
	return dead
}
