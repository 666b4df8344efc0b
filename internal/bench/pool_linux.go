package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// poolLoadArg is the hidden command of the generator for pools: pid of the balancer, duration, backends.
const poolLoadArg = "pool-load"

// crowdChild does what a hidden command says, if there is one.
func crowdChild(args []string) bool {
	var err error
	switch {
	case len(args) == 4 && args[0] == poolLoadArg:
		err = loadPool(args[1], args[2], args[3])
	case len(args) == 2 && args[0] == serfHandlerArg:
		err = serfHandler(args[1])
	default:
		return false
	}
	os.Exit(exitWith(err))
	return true
}

// poolFor is how long each of the two measurements of a pool takes.
const poolFor = 5 * time.Second

// poolCost measures a pool as p says, whose backends all are one process behind as many
// addresses.
func poolCost(ctx context.Context, p PoolCost) PoolCost {
	n, every := p.Backends, p.Every
	fail := func(err error) PoolCost { p.Error = " " + err.Error(); return p }
	cpus, err := twoCPUs()
	if err != nil {
		return fail(err)
	}
	l, err := lab.New(lab.Config{})
	if err != nil {
		return fail(err)
	}
	defer l.Close() // ends all processes
	h, err := l.Host("proxy", proxyHost)
	if err != nil {
		return fail(err)
	}
	file := filepath.Join(os.Getenv(workVar), fmt.Sprintf("pool-%d-%s.toml", n, every))
	if err := os.WriteFile(file, []byte(poolConf(n, every)), 0o644); err != nil {
		return fail(err)
	}
	said := new(tail)
	if _, err = h.Start(lab.Command{Args: []string{pinArg, cpus[1], "/proc/self/exe", backendArg}, Stderr: said}); err != nil {
		return fail(err)
	}
	lb, err := h.Start(lab.Command{Args: []string{pinArg, cpus[0], tandemPath(), "lb", "--config", file, "--log-level", "error"}, Stdout: said, Stderr: said})
	if err != nil {
		return fail(err)
	}
	var result strings.Builder
	load, err := h.Start(lab.Command{
		Args:   []string{pinArg, cpus[1], "/proc/self/exe", poolLoadArg, strconv.Itoa(lb.HostPid()), poolFor.String(), strconv.Itoa(n)},
		Stdout: &result, Stderr: said,
	})
	if err != nil {
		return fail(err)
	}
	select {
	case <-load.Done():
	case <-lb.Done():
		return fail(fmt.Errorf("tandem ended: %w: %s", lb.Wait(), said))
	case <-ctx.Done():
		return fail(ctx.Err())
	}
	if err := load.Wait(); err != nil {
		return fail(fmt.Errorf("%w: %s", err, said))
	}
	if err := json.Unmarshal([]byte(result.String()), &p); err != nil {
		return fail(err)
	}
	p.Every = every
	return p
}

// poolConf is a balancer's configuration with n backends.
func poolConf(n int, every string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[vip]]\naddress = %q\n[[frontend]]\nlisten = \":%d\"\npool = \"web\"\n[pool.web]\ncheck = { http = \"/\", interval = %q }\nbackends = [\n", proxyVIP, proxyPort, every)
	for i := range n {
		fmt.Fprintf(&b, "\"127.%d.%d.%d:%d\",\n", 1+i>>16, i>>8&255, i&255, backendPort)
	}
	b.WriteString("]\n")
	return b.String()
}

// loadPool measures what the proxy costs without requests, and with them.
func loadPool(pid, d, n string) error {
	id, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	took, err := time.ParseDuration(d)
	if err != nil {
		return err
	}
	p := PoolCost{}
	if p.Backends, err = strconv.Atoi(n); err != nil {
		return err
	}
	l := &loader{scenario: scenarios[0], addr: proxyAddr(proxyPort), pid: id, warm: took / 2, time: took}
	if err := l.ready(); err != nil {
		return err
	}
	time.Sleep(took) // the first checks of all
	before := spentBy(id)
	time.Sleep(took)
	after := spentBy(id)
	idle, _ := before.cpuTo(after)
	p.IdleS = idle.Seconds() / took.Seconds()
	t, err := l.run()
	if err != nil {
		return err
	}
	p.PerS, p.Failed = t.PerS, t.Failed
	p.PerUS = t.Value - p.IdleS*1e6/t.PerS
	for _, u := range spentBy(id) {
		p.RSS = max(p.RSS, u.mem)
	}
	if t.Requests == 0 {
		return errors.Join(errSilent, l.lastErr)
	}
	return json.NewEncoder(os.Stdout).Encode(p)
}
