package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/lab"
)

// The hidden commands that this program is in the proxies' host.
const (
	pinArg     = "proxy-pin"     // CPU PROGRAM ARG…
	loadArg    = "proxy-load"    // scenario, pid, duration
	backendArg = "proxy-backend" //
)

// proxyMain is the command proxy.
func proxyMain(args []string) int {
	return inLab(args, parseProxyOptions, proxyReady, runProxies)
}

func proxyReady(o proxyOptions) (string, error) {
	if err := errors.Join(lab.Preflight(), proxyMissing(o)); err != nil {
		return "", err
	}
	return prepare(o.tandem)
}

// proxyMissing names the peers' programs that are not installed, and the remedy.
func proxyMissing(o proxyOptions) error {
	var missing, paths []string
	for _, p := range o.peers {
		paths = append(paths, map[string]string{"haproxy": haproxyPath, "nginx": nginxPath}[p])
	}
	if slices.ContainsFunc(o.scenarios, func(s scenario) bool { return s.h2 > 0 }) {
		paths = append(paths, h2loadPath)
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("no %s here; %s", strings.Join(missing, ", no "), proxyRemedy)
}

// A rival is a proxy under test.
type rival struct {
	name string
	args func(dir string, s scenario) ([]string, error) // program and arguments
}

func rivals(peers []string) []rival {
	out := []rival{{ourProxy, func(dir string, s scenario) ([]string, error) {
		if !s.tls {
			return append([]string{tandemPath()}, tandemProxyArgs()...), nil
		}
		file := filepath.Join(dir, "tandem.toml")
		return []string{tandemPath(), "lb", "--config", file}, os.WriteFile(file, []byte(tandemTLSConf(dir)), 0o644)
	}}}
	for _, p := range peers {
		switch p {
		case "haproxy":
			out = append(out, rival{p, func(dir string, s scenario) ([]string, error) {
				file := filepath.Join(dir, "haproxy.cfg")
				return []string{haproxyPath, "-q", "-db", "-f", file}, os.WriteFile(file, []byte(haproxyProxyConf(dir, s)), 0o644)
			}})
		case "nginx":
			out = append(out, rival{p, func(dir string, s scenario) ([]string, error) {
				file := filepath.Join(dir, "nginx.conf")
				return []string{nginxPath, "-p", dir, "-c", file}, os.WriteFile(file, []byte(nginxProxyConf(dir, s)), 0o644)
			}})
		}
	}
	return out
}

// runProxies measures everybody in every scenario, again and again; who comes
// first changes with each repetition. What ends it early leaves a report.
func runProxies(ctx context.Context, o proxyOptions, out, progress io.Writer) error {
	cpus, err := twoCPUs()
	if err != nil {
		return err
	}
	began := time.Now()
	r := aboutProxies(o.peers)
	r.Began = began
	all := rivals(o.peers)
	for _, s := range o.scenarios {
		for _, p := range all {
			r.Results = append(r.Results, ProxyResult{Scenario: s.name, Proxy: p.name, Unit: s.unit})
		}
	}
	for rep := range o.n {
		for _, s := range o.scenarios {
			for i := range all {
				p := all[(rep+i)%len(all)]
				if ctx.Err() != nil {
					break
				}
				t, err := proxyTrial(ctx, p, s, o.time, cpus)
				if err != nil {
					t.Error = err.Error()
				}
				x := r.find(s.name, p.name)
				x.Trials = append(x.Trials, t)
				fmt.Fprintf(progress, "%d/%d %s %s: %.3g %s, %.0f/s, failed %d %s\n", rep+1, o.n, s.name, p.name, t.Value, s.unit, t.PerS, t.Failed, t.Error)
			}
		}
	}
	r.Took, r.Load = seconds(time.Since(began)), loadAverages()
	r.sum()
	if o.json {
		err = writeJSON(out, r)
	} else {
		err = r.writeTable(out)
	}
	for _, x := range r.Results {
		if x.Broken > 0 {
			err = errors.Join(err, fmt.Errorf("%s, %s: %d repetitions could not be carried out", x.Scenario, x.Proxy, x.Broken))
		}
	}
	return err
}

// proxyTrial measures one proxy in one scenario, everything fresh.
func proxyTrial(ctx context.Context, p rival, s scenario, d time.Duration, cpus [2]string) (t ProxyTrial, err error) {
	dir, err := os.MkdirTemp(os.Getenv(workVar), "proxy-")
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(dir)
	l, err := lab.New(lab.Config{})
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, l.Close()) }() // ends all processes
	h, err := l.Host("proxy", proxyHost)
	if err != nil {
		return t, err
	}
	if s.tls {
		if err := writeCertificate(dir); err != nil {
			return t, err
		}
	}
	argv, err := p.args(dir, s)
	if err != nil {
		return t, err
	}
	said := new(tail)
	if _, err = h.Start(lab.Command{Args: []string{pinArg, cpus[1], "/proc/self/exe", backendArg}, Stderr: said}); err != nil {
		return t, err
	}
	proxy, err := h.Start(lab.Command{Args: append([]string{pinArg, cpus[0]}, argv...), Stdout: said, Stderr: said})
	if err != nil {
		return t, err
	}
	var result strings.Builder
	load, err := h.Start(lab.Command{
		Args:   []string{pinArg, cpus[1], "/proc/self/exe", loadArg, s.name, strconv.Itoa(proxy.HostPid()), d.String()},
		Stdout: &result, Stderr: said,
	})
	if err != nil {
		return t, err
	}
	select {
	case <-load.Done():
	case <-proxy.Done():
		return t, fmt.Errorf("%s ended: %w: %s", p.name, proxy.Wait(), said)
	case <-ctx.Done():
		return t, ctx.Err()
	}
	if err := load.Wait(); err != nil {
		return t, fmt.Errorf("%w: %s", err, said)
	}
	return t, json.Unmarshal([]byte(result.String()), &t)
}

// proxyChild does what a hidden command says, if there is one.
func proxyChild(args []string) bool {
	var err error
	switch {
	case len(args) > 2 && args[0] == pinArg:
		err = pin(args[1], args[2:])
	case len(args) == 1 && args[0] == backendArg:
		err = serveBackend(fmt.Sprint(":", backendPort))
	case len(args) == 4 && args[0] == loadArg:
		err = loadFor(args[1], args[2], args[3])
	default:
		return false
	}
	os.Exit(exitWith(err))
	return true
}

// loadFor is the generator's process; its result goes to standard output.
func loadFor(name, pid, d string) error {
	id, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	took, err := time.ParseDuration(d)
	if err != nil {
		return err
	}
	for _, s := range scenarios {
		if s.name == name {
			l := &loader{scenario: s, addr: proxyAddr(proxyPort), pid: id, warm: took / 4, time: took}
			t, err := l.run()
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(t)
		}
	}
	return fmt.Errorf("no scenario is called %q", name)
}

// pin becomes a program that runs on one processor, with all of its threads and
// children.
func pin(cpu string, argv []string) error {
	n, err := strconv.Atoi(cpu)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(n)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to processor %d: %w", n, err)
	}
	return unix.Exec(argv[0], argv, os.Environ())
}

// twoCPUs returns the proxy's processor, and that of generator and backend.
func twoCPUs() (cpus [2]string, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cpus, err
	}
	found := 0
	for n := range 1024 {
		if set.IsSet(n) && found < len(cpus) {
			cpus[found] = strconv.Itoa(n)
			found++
		}
	}
	if found < len(cpus) {
		return cpus, errors.New("two processors are needed: one for the proxy, one for generator and backend")
	}
	return cpus, nil
}

// aboutProxies fills in what a figure is worth nothing without.
func aboutProxies(peers []string) *ProxyReport {
	r := &ProxyReport{
		Command: strings.Join(append([]string{"go run ./internal/bench"}, os.Args[1:]...), " "),
		Commit:  commit(), CPUs: runtime.NumCPU(), CPU: cpu(), Kernel: kernel(), Go: runtime.Version(),
		Versions: map[string]string{},
	}
	for _, p := range peers {
		switch p {
		case "haproxy":
			r.Versions["HAProxy"] = version(haproxyPath, "-v")
		case "nginx":
			text, _ := exec.Command(nginxPath, "-v").CombinedOutput()
			r.Versions["nginx"] = versionNumber.FindString(string(text))
		}
	}
	return r
}
