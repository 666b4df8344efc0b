package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// watchEvery is how often a balancer is asked. To answer costs it a few milliseconds where
// there are hundreds of members.
const watchEvery = 100 * time.Millisecond

// A watched balancer is asked for its status again and again.
type watched struct {
	name, socket string
	log          tail

	mu  sync.Mutex // protects now
	now sight
}

// A sight is what a balancer says of itself.
type sight struct {
	agents     int // alive or suspect
	up, listed int // backends
	epoch      uint64
	late       time.Duration // the worst since the last reset
	usage      map[string]Usage
}

// statusSaid is the part of the admin API's status that is read here.
type statusSaid struct {
	Members []struct{ Role, State string }
	Pools   []struct{ Backends []struct{ State string } }
	Groups  []struct{ Epoch uint64 }
	Adverts struct {
		WorstLate time.Duration `json:"worst_late"`
	}
	Processes []struct {
		Name string
		PID  int
	}
}

// watch asks until ctx ends.
func (w *watched) watch(ctx context.Context) error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", w.socket)
	}
	c := &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 5 * time.Second}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		resp, err := c.Get("http://tandem/v1/status")
		if err != nil {
			continue // it has just been started
		}
		var s statusSaid
		err = json.NewDecoder(resp.Body).Decode(&s)
		resp.Body.Close()
		if err == nil {
			w.see(s)
		}
	}
}

func (w *watched) see(s statusSaid) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := sight{late: max(w.now.late, s.Adverts.WorstLate), usage: map[string]Usage{}}
	for _, m := range s.Members {
		if m.Role == "agent" && (m.State == "alive" || m.State == "suspect") {
			now.agents++
		}
	}
	for _, p := range s.Pools {
		for _, b := range p.Backends {
			now.listed++
			if b.State == "up" {
				now.up++
			}
		}
	}
	for _, g := range s.Groups {
		now.epoch = max(now.epoch, g.Epoch)
	}
	now.usage = w.now.usage
	w.now = now
}

// last is what the balancer said last.
func (w *watched) last() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// reset returns what the balancer said last and what its processes have used, and forgets the worst.
func (w *watched) reset() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.usage = usageOf(w.socket)
	s := w.now
	w.now.late = 0
	return s
}

// usageOf finds the processes of the balancer with that socket: its keeper bears it on its
// command line, the others are the keeper's children.
func usageOf(socket string) map[string]Usage {
	keeper, kin := 0, map[int]string{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		args := cmdline(pid)
		switch {
		case len(args) < 2:
		case args[1] == "lb" && args[len(args)-1] == socket:
			keeper = pid
		case args[1] == "control" || args[1] == "proxy":
			kin[pid] = args[1]
		}
	}
	out := map[string]Usage{}
	if keeper == 0 {
		return out
	}
	out["keeper"] = usedBy(keeper)
	for pid, name := range kin {
		if status(pid, "PPid:") == strconv.Itoa(keeper) {
			out[name] = usedBy(pid)
		}
	}
	return out
}

func usedBy(pid int) Usage {
	u := Usage{CPU: processTime(pid).Seconds()}
	if f := statFields(pid); len(f) > 21 {
		pages, _ := strconv.ParseFloat(f[21], 64)
		u.RSS = pages * float64(os.Getpagesize()) / 1e6
	}
	return u
}

// processTime is the processor time of a process so far.
func processTime(pid int) time.Duration {
	f := statFields(pid)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick
}
