package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/client"
)

// The network of a crowd.
var (
	crowdVIP    = netip.MustParseAddr("10.20.0.42")
	crowdLBs    = []place{{"lb1", netip.MustParsePrefix("10.20.0.11/16")}, {"lb2", netip.MustParsePrefix("10.20.0.12/16")}}
	crowdFirst  = place{"web", netip.MustParsePrefix("10.20.0.21/16")} // an app that is there before all others
	crowdClient = netip.MustParsePrefix("10.20.0.100/16")
)

// A swarm is two balancers and many agents.
type swarm struct {
	lab    *lab.Lab
	lbs    []*watched
	hosts  []*lab.Host
	agents []*lab.Process // host by host
	per    int            // agents of a host
	nice   string         // of the agents
	log    *client.Log
	said   *wordCount // what the agents say
	cancel context.CancelFunc
	tasks  *errgroup.Group
}

// crowdOf goes through the phases. What goes wrong is in the Crowd.
func crowdOf(ctx context.Context, o membershipOptions, errOut io.Writer) (c Crowd) {
	c.Agents = o.agents / crowdHosts * crowdHosts
	x := &swarm{nice: "19", per: o.agents / crowdHosts, log: client.NewLog(time.Now()), said: newWordCount(saidListening, saidSuspect, saidRefuted, saidFailed)}
	if o.equal {
		x.nice = "0"
	}
	err := x.build(ctx)
	if err == nil {
		err = x.phases(ctx, func(p Phase) {
			fmt.Fprintf(errOut, "%s %s: %d members known after %.1f s, served %.1f s, worst advert %.1f ms late, failed %d of %d, agents used %.1f s of a processor and suspected %d times, %v\n",
				time.Now().Format(time.TimeOnly), p.Name, p.Members, p.TookS, p.ServedS, p.LateMS, p.Failed, p.Requests, p.AgentCPU, p.Suspected, p.Usage)
			c.Phases = append(c.Phases, p)
		})
	}
	if o.logs != "" {
		err = errors.Join(err, x.writeLogs(o.logs))
	}
	if err = errors.Join(err, x.close()); err != nil {
		c.Error = err.Error()
	}
	return c
}

// build makes the network, starts the balancers and the first app, and waits until it is served.
func (x *swarm) build(ctx context.Context) (err error) {
	if x.lab, err = lab.New(lab.Config{}); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(os.Getenv(workVar), "crowd-")
	if err != nil {
		return err
	}
	ctx, x.cancel = context.WithCancel(ctx)
	x.tasks, ctx = errgroup.WithContext(ctx)
	join := crowdLBs[0].addr.Addr().String() + "," + crowdLBs[1].addr.Addr().String()
	for _, p := range crowdLBs {
		h, err := x.lab.Host(p.name, p.addr)
		if err != nil {
			return err
		}
		w := &watched{name: p.name, socket: filepath.Join(dir, p.name)}
		_, err = h.Start(lab.Command{Path: tandemPath(), Args: []string{
			"lb", "--vip", crowdVIP.String(), "--join", join, "--listen", fmt.Sprint(":", sitePort), "--pool", "web", "--socket", w.socket,
		}, Stdout: &w.log, Stderr: &w.log})
		if err != nil {
			return err
		}
		x.lbs = append(x.lbs, w)
		x.tasks.Go(func() error { return w.watch(ctx) })
	}
	first, err := x.lab.Host(crowdFirst.name, crowdFirst.addr)
	if err != nil {
		return err
	}
	if _, err = first.Start(lab.Command{Path: tandemPath(), Args: append([]string{
		"agent", "--pool", "web", "--port", fmt.Sprint(appPort), "--join", crowdVIP.String(), "--", tandemPath(),
	}, webapp(crowdFirst)...)}); err != nil {
		return err
	}
	h, err := x.lab.Host("client", crowdClient)
	if err != nil {
		return err
	}
	load, err := client.New(client.Config{Target: netip.AddrPortFrom(crowdVIP, sitePort), Enter: h.Do, Timeout: appPatience, Interval: 10 * time.Millisecond}, x.log)
	if err != nil {
		return err
	}
	if _, err := x.until(ctx, "the first app is served", 1); err != nil {
		return err
	}
	x.tasks.Go(func() error { return load.Run(ctx) })
	return x.startAgents()
}

// nicePath is where the system has it.
const nicePath = "/usr/bin/nice"

// startAgents starts all of them, on hosts that are unplugged. Those of one host share its
// address, and have ports of their own: the kernel, one for all hosts, keeps no more than
// 1024 neighbours of all of them together.
func (x *swarm) startAgents() error {
	for i := range crowdHosts {
		addr := netip.AddrFrom4([4]byte{10, 20, 1, byte(1 + i)})
		h, err := x.lab.Host(fmt.Sprint("h", i), netip.PrefixFrom(addr, 16))
		if err == nil {
			err = h.PortDown()
		}
		if err == nil {
			_, err = h.Start(lab.Command{Path: tandemPath(), Args: webapp(place{name: h.Name()})})
		}
		for k := 0; err == nil && k < x.per; k++ {
			var p *lab.Process
			p, err = h.Start(lab.Command{Path: nicePath, Args: []string{
				"-n", x.nice, tandemPath(), "agent", "--pool", "web", "--port", fmt.Sprint(appPort), "--join", crowdVIP.String(),
				"--gossip", netip.AddrPortFrom(addr, uint16(8000+k)).String(), "--name", fmt.Sprintf("h%d-a%d", i, k),
			}, Stdout: x.said, Stderr: x.said})
			x.agents = append(x.agents, p)
		}
		if err != nil {
			return fmt.Errorf("start agents: %w", err)
		}
		x.hosts = append(x.hosts, h)
	}
	return nil
}

// phases lets them join at once, a third of them leave, and a third of the rest lose power.
func (x *swarm) phases(ctx context.Context, done func(Phase)) error {
	all := crowdHosts * x.per
	plug := func() error {
		var g errgroup.Group
		for _, h := range x.hosts {
			g.Go(h.PortUp)
		}
		return g.Wait()
	}
	leaving := (all + 2) / 3
	leave := func() error {
		for i := 0; i < all; i += 3 {
			if err := x.agents[i].Signal(syscall.SIGTERM); err != nil {
				return err
			}
		}
		return nil
	}
	lost := 0
	for i := range crowdHosts / 3 * x.per {
		if i%3 != 0 {
			lost++
		}
	}
	cut := func() error {
		var g errgroup.Group
		for _, h := range x.hosts[:crowdHosts/3] {
			g.Go(h.PowerOff)
		}
		return g.Wait()
	}
	started := func() bool { return x.said.count(saidListening) >= all }
	for _, p := range []struct {
		name string
		do   func() error
		want int // apps in the pool, the first one included
		also func() bool
	}{
		{"start", func() error { return nil }, 1, started},
		{"join", plug, 1 + all, nil},
		{"leave", leave, 1 + all - leaving, nil},
		{"lost", cut, 1 + all - leaving - lost, nil},
	} {
		phase, err := x.phase(ctx, p.name, p.do, p.want, p.also)
		if phase.Usage != nil {
			done(phase)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// restFor is how long a phase's consequences are watched after it is over.
const restFor = 2 * time.Second

// phase does something and measures until both balancers have want apps, or until it is clear that they will not.
func (x *swarm) phase(ctx context.Context, name string, do func() error, want int, also func() bool) (p Phase, err error) {
	p.Name, p.Members = name, want+len(x.lbs)
	var before []sight
	for _, w := range x.lbs {
		before = append(before, w.reset())
	}
	cpu, from := agentsCPU(), x.log.Now()
	suspected, refuted, declared := x.said.count(saidSuspect), x.said.count(saidRefuted), x.said.count(saidFailed)
	began := time.Now()
	if err := do(); err != nil {
		return p, err
	}
	for also != nil && !also() {
		if time.Since(began) > crowdWait {
			return p, fmt.Errorf("%d agents listen after %v", x.said.count(saidListening), crowdWait)
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.TookS = time.Since(began).Seconds()
	at, failed := x.until(ctx, fmt.Sprintf("both balancers have %d apps", want), want)
	if also == nil && !at.known.IsZero() {
		p.TookS = at.known.Sub(began).Seconds()
	}
	if failed == nil {
		p.ServedS = at.served.Sub(began).Seconds()
		select {
		case <-time.After(restFor):
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
	p.Usage = map[string]Usage{}
	for i, w := range x.lbs {
		now := w.reset()
		p.LateMS = max(p.LateMS, millis(now.late))
		p.Claims += int(now.epoch - before[i].epoch)
		for proc, u := range now.usage {
			was := p.Usage[proc]
			p.Usage[proc] = Usage{CPU: max(was.CPU, u.CPU-before[i].usage[proc].CPU), RSS: max(was.RSS, u.RSS)}
		}
	}
	p.AgentCPU = usedSince(cpu).Seconds()
	p.Suspected, p.Refuted, p.Declared = x.said.count(saidSuspect)-suspected, x.said.count(saidRefuted)-refuted, x.said.count(saidFailed)-declared
	count := client.Count(x.log.Requests(), client.Window{From: from, To: x.log.Settled()})
	p.Requests, p.Failed = count.Requests, count.Failed
	for _, r := range x.log.Since(from) {
		if r.Good() && r.Due >= from {
			p.SlowMS = max(p.SlowMS, millis(r.End-r.Start))
		}
	}
	return p, failed
}

// moments of a phase.
type knowing struct{ known, served time.Time }

// until waits until both balancers know want agents, and their proxies have them up.
func (x *swarm) until(ctx context.Context, what string, want int) (at knowing, err error) {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(crowdWait); ; {
		known, served := true, true
		var said string
		for _, w := range x.lbs {
			s := w.last()
			known = known && s.agents == want
			served = served && s.up == want && s.listed == want
			said += fmt.Sprintf(" %s knows %d agents, %d of %d backends are up;", w.name, s.agents, s.up, s.listed)
		}
		if known && at.known.IsZero() {
			at.known = time.Now()
		}
		if known && served {
			at.served = time.Now()
			return at, nil
		}
		if time.Now().After(end) {
			return at, fmt.Errorf("%s: not within %v:%s", what, crowdWait, said)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}

func (x *swarm) close() error {
	if x.cancel != nil {
		x.cancel()
	}
	var err error
	if x.lab != nil {
		err = x.lab.Close()
	}
	if x.tasks != nil {
		if e := x.tasks.Wait(); !errors.Is(e, context.Canceled) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (x *swarm) writeLogs(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	for _, w := range x.lbs {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, w.name+".log"), []byte(w.log.String()), 0o644))
	}
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "agents.log"), []byte(x.said.last.String()), 0o644))
}

// What agents say that is counted. Each says at most 50 of memberlist's lines in 10 s.
const (
	saidListening = "gossip listens"
	saidSuspect   = "has failed, no acks received"
	saidRefuted   = "Refuting a "
	saidFailed    = "as failed, suspect timeout reached"
)

// wordCount counts the lines with each of some words in them, of many who write at once.
type wordCount struct {
	words []string
	n     []atomic.Int64
	mu    sync.Mutex // held by each Write, which may hold half a line
	last  tail
}

func newWordCount(words ...string) *wordCount {
	return &wordCount{words: words, n: make([]atomic.Int64, len(words))}
}

func (c *wordCount) Write(b []byte) (int, error) {
	for i, word := range c.words {
		c.n[i].Add(int64(bytes.Count(b, []byte(word))))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.Write(b)
}

func (c *wordCount) count(word string) int { return int(c.n[slices.Index(c.words, word)].Load()) }

// agentsCPU is the processor time of each agent that lives, so far, by its process.
func agentsCPU() map[int]time.Duration {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	times := map[int]time.Duration{}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil {
			continue
		}
		if args := cmdline(pid); len(args) > 1 && args[1] == "agent" {
			times[pid] = processTime(pid)
		}
	}
	return times
}

// usedSince is what those that live have used since before was taken.
func usedSince(before map[int]time.Duration) (sum time.Duration) {
	for pid, now := range agentsCPU() {
		sum += now - before[pid]
	}
	return sum
}
