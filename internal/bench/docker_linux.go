package main

import (
	"bytes"
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
)

func dockerMain(args []string) int {
	o, code, done := parsed(args, parseDockerOptions)
	if done {
		return code
	}
	ctx, stop := interruptible()
	defer stop()
	ok, err := dockerRun(ctx, o, os.Stdout, os.Stderr)
	if err == nil && !ok {
		return exitFailed
	}
	return exitWith(err)
}

// dockerRun builds the image and the site, does every step, and prints the report.
func dockerRun(ctx context.Context, o dockerOptions, out, errOut io.Writer) (ok bool, err error) {
	began := time.Now()
	d, err := newDockerSite(ctx, errOut)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	report := DockerReport{Report: Report{Began: began.UTC(), Command: command(), Commit: commit()}}
	report.CPUs, report.CPU, report.Kernel, report.Go, report.Root = runtime.NumCPU(), cpu(), kernel(), runtime.Version(), trulyRoot()
	err = d.measure(ctx, &report)
	if o.logs != "" {
		err = errors.Join(err, d.saveLogs(o.logs))
	}
	if err != nil {
		return false, err
	}
	report.Took, report.Load = time.Since(began).Seconds(), loadAverages()
	switch {
	case o.json:
		err = writeJSON(out, report)
	case o.table:
		err = report.writeMarkdown(out)
	default:
		err = report.write(out)
	}
	broken := report.broken()
	for _, what := range broken {
		fmt.Fprintln(errOut, "A PROMISE IS BROKEN:", what)
	}
	return !o.check || len(broken) == 0, err
}

// A dockerSite is the site of deploy/docker/compose.yaml, under names of this run's own.
type dockerSite struct {
	errOut  io.Writer
	dir     string // a copy of deploy/docker, with the binary and keys
	project string
	compose []string
	env     []string
	client  *dockerClient
	started map[string]time.Time // when the engine started the containers that scale-up made, by ID
}

// The addresses in compose.yaml.
const (
	dockerVIP = "172.30.42.42"
	dockerLB1 = "172.30.42.11"
	dockerLB2 = "172.30.42.12"
)

// newDockerSite builds the images, makes keys, and has two balancers and an app serve.
func newDockerSite(ctx context.Context, errOut io.Writer) (_ *dockerSite, err error) {
	d := &dockerSite{errOut: errOut, project: fmt.Sprintf("tandem-bench-%d", os.Getpid()), started: map[string]time.Time{}}
	if d.compose, err = composeCommand(ctx); err != nil {
		return nil, err
	}
	if d.dir, err = os.MkdirTemp("", "tandem-docker-"); err != nil {
		return nil, err
	}
	d.env = append(os.Environ(), "TANDEM_IMAGE="+d.project, "TANDEM_APP_IMAGE="+d.project+"-app", "CGO_ENABLED=0")
	defer func() {
		if err != nil {
			err = errors.Join(err, d.remove())
		}
	}()
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(filepath.Join(d.dir, "docker"), os.DirFS(filepath.Join(root, "deploy/docker"))); err != nil {
		return nil, err
	}
	d.dir = filepath.Join(d.dir, "docker")
	for name, path := range map[string]string{"tandem": "./cmd/tandem", "client": "./internal/bench"} {
		if _, err := d.run(ctx, root, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(d.dir, name), path); err != nil {
			return nil, err
		}
	}
	if _, err := d.docker(ctx, "build", "-q", "-t", d.project, d.dir); err != nil {
		return nil, err
	}
	// As the documents say: by the image itself, so that the keys belong to the user of the containers.
	keys := []string{"run", "--rm", "-v", d.dir + "/keys:/keys", "-w", "/keys", d.project, "keygen"}
	if _, err := d.docker(ctx, keys...); err != nil {
		return nil, err
	}
	if err := d.scale(ctx, 1); err != nil {
		return nil, err
	}
	return d, nil
}

// composeCommand finds Compose v2, or docker-compose 1.29.
func composeCommand(ctx context.Context) ([]string, error) {
	if exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}, nil
	}
	if exec.CommandContext(ctx, "docker-compose", "version").Run() == nil {
		return []string{"docker-compose"}, nil
	}
	return nil, errors.New("no Compose here: apt-get install docker-compose")
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// run runs a program and returns what it printed; an error has what it complained of.
func (d *dockerSite) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, d.env
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, complaints.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func (d *dockerSite) docker(ctx context.Context, args ...string) (string, error) {
	return d.run(ctx, d.dir, "docker", args...)
}

func (d *dockerSite) composed(ctx context.Context, args ...string) (string, error) {
	all := slices.Concat(d.compose[1:], []string{"-p", d.project, "-f", "compose.yaml"}, args)
	return d.run(ctx, d.dir, d.compose[0], all...)
}

// saveLogs writes what the containers said, also after an interruption.
func (d *dockerSite) saveLogs(file string) error {
	said, err := d.composed(context.Background(), "logs", "--no-color")
	return errors.Join(err, os.WriteFile(file, []byte(said), 0o644))
}

// remove takes away whatever this run made.
func (d *dockerSite) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var errs []error
	if d.client != nil {
		errs = append(errs, d.client.kill())
	}
	if _, err := os.Stat(filepath.Join(d.dir, "compose.yaml")); err == nil {
		_, err := d.composed(ctx, "down", "-t", "1", "--remove-orphans")
		errs = append(errs, err)
	}
	for _, image := range []string{d.project + "-app", d.project} {
		if _, err := d.docker(ctx, "image", "inspect", image); err == nil {
			_, err := d.docker(ctx, "rmi", image)
			errs = append(errs, err)
		}
	}
	dir := d.dir
	if filepath.Base(dir) == "docker" {
		dir = filepath.Dir(dir)
	}
	return errors.Join(append(errs, os.RemoveAll(dir))...)
}

// scale has n apps run, and waits until both balancers serve just them.
func (d *dockerSite) scale(ctx context.Context, n int) error {
	if _, err := d.composed(ctx, "up", "-d", "--no-recreate", "--scale", "web="+strconv.Itoa(n)); err != nil {
		return err
	}
	return d.untilServed(ctx, n)
}

// untilServed waits until one balancer is active and both know n apps that are up.
func (d *dockerSite) untilServed(ctx context.Context, n int) error {
	return d.until(ctx, fmt.Sprintf("both balancers serve %d apps", n), func() (bool, string) {
		for _, lb := range []string{"lb1", "lb2"} {
			s, err := d.status(ctx, lb)
			if err != nil {
				return false, err.Error()
			}
			up := 0
			for _, b := range s.Pools[0].Backends {
				if b.State == "up" {
					up++
				}
			}
			if up != n || s.Groups[0].Active == "" || !slices.Contains([]string{"active", "backup"}, s.Groups[0].State) {
				return false, fmt.Sprintf("%s is %s, knows %q as active and %d apps", lb, s.Groups[0].State, s.Groups[0].Active, up)
			}
		}
		return true, ""
	})
}

func (d *dockerSite) until(ctx context.Context, what string, cond func() (bool, string)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		ok, now := cond()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %s", what, now)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// dockerStatus is as much of `tandem status --json` as is needed.
type dockerStatus struct {
	Since  time.Time
	Groups []struct{ State, Active string }
	Pools  []struct{ Backends []struct{ State string } }
}

func (d *dockerSite) status(ctx context.Context, lb string) (s dockerStatus, err error) {
	out, err := d.docker(ctx, "exec", d.container(lb), "/usr/bin/tandem", "status", "--json")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || len(s.Groups) == 0 || len(s.Pools) == 0 {
		return s, errors.Join(err, errors.New("a status without group or pool"))
	}
	return s, nil
}

// container is the name that Compose gives a service's only container.
func (d *dockerSite) container(service string) string {
	if d.compose[0] == "docker" {
		return d.project + "-" + service + "-1"
	}
	return d.project + "_" + service + "_1"
}

// active names the balancer that holds the VIP.
func (d *dockerSite) active(ctx context.Context) (string, error) {
	for _, lb := range []string{"lb1", "lb2"} {
		if s, err := d.status(ctx, lb); err == nil && s.Groups[0].State == "active" {
			return lb, nil
		}
	}
	return "", errors.New("no balancer is active")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
