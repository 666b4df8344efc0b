package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// measure does every step under the client's requests, and fills the report.
func (d *dockerSite) measure(ctx context.Context, report *DockerReport) (err error) {
	if report.Engine, err = d.docker(ctx, "version", "-f", "{{.Server.Version}}"); err != nil {
		return err
	}
	if report.Compose, err = d.run(ctx, d.dir, d.compose[0], slices.Concat(d.compose[1:], []string{"version", "--short"})...); err != nil {
		return err
	}
	report.Compose = "Compose " + report.Compose
	size, err := d.docker(ctx, "image", "inspect", "-f", "{{.Size}}", d.project)
	if err != nil {
		return err
	}
	if report.ImageBytes, err = strconv.ParseInt(size, 10, 64); err != nil {
		return err
	}
	if d.client, err = d.startClient(ctx); err != nil {
		return err
	}
	var windows []client.Window
	for _, step := range dockerSteps {
		w, err := d.step(ctx, step.name)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		windows = append(windows, w)
		fmt.Fprintf(d.errOut, "%s  %s done, %v\n", time.Now().Format(time.TimeOnly), step.name, (w.To - w.From).Round(time.Millisecond))
	}
	if report.Secrets, err = d.searchKeys(ctx); err != nil {
		return err
	}
	record, err := d.client.end()
	if err != nil {
		return err
	}
	for i, step := range dockerSteps {
		report.Steps = append(report.Steps, dockerResult(step.name, record.Requests, windows[i], record.Settled))
	}
	report.JoinMS = d.joins(record)
	return nil
}

// step does one, waits until the site is whole again, as far as it can be, and calm for a
// while, and returns the time on the client's clock.
func (d *dockerSite) step(ctx context.Context, name string) (w client.Window, err error) {
	w.From = d.client.now()
	if err := d.harm(ctx, name); err != nil {
		return w, err
	}
	if err := sleep(ctx, 1500*time.Millisecond); err != nil { // what comes late counts, too
		return w, err
	}
	w.To = d.client.now()
	return w, nil
}

func (d *dockerSite) harm(ctx context.Context, name string) error {
	switch name {
	case "scale-up":
		return d.scaleUp(ctx)
	case "scale-down":
		return d.scale(ctx, 2)
	case "app-kill":
		return d.killApp(ctx)
	case "lb-start", "lb-kill-start":
		return d.startStopped(ctx)
	case "lb-connect":
		return d.connect(ctx)
	case "apps-kill":
		return d.killApps(ctx)
	}
	active, err := d.active(ctx)
	if err != nil {
		return err
	}
	if err := d.untilKnown(ctx); err != nil {
		return err
	}
	other := map[string]string{"lb1": "lb2", "lb2": "lb1"}[active]
	switch name {
	case "lb-stop":
		_, err = d.docker(ctx, "stop", d.container(active))
	case "lb-kill":
		_, err = d.docker(ctx, "kill", d.container(active))
	case "lb-disconnect":
		_, err = d.docker(ctx, "network", "disconnect", d.project+"_site", d.container(active))
	case "lb-pause":
		return d.pause(ctx, active)
	}
	if err != nil {
		return err
	}
	return d.untilActive(ctx, other)
}

// untilKnown waits until the balancers have known each other for 5 s: before, the silence of
// the active is borne for longer.
func (d *dockerSite) untilKnown(ctx context.Context) error {
	return d.until(ctx, "both balancers have run for a while", func() (bool, string) {
		for _, lb := range []string{"lb1", "lb2"} {
			if s, err := d.status(ctx, lb); err != nil || time.Since(s.Since) < 6*time.Second {
				return false, fmt.Sprint(lb, " has since ", s.Since, err)
			}
		}
		return true, ""
	})
}

func (d *dockerSite) untilActive(ctx context.Context, lb string) error {
	return d.until(ctx, lb+" is active", func() (bool, string) {
		s, err := d.status(ctx, lb)
		if err != nil {
			return false, err.Error()
		}
		return s.Groups[0].State == "active", "it is " + s.Groups[0].State
	})
}

// scaleUp goes from one app to five, and remembers the containers of the new ones.
func (d *dockerSite) scaleUp(ctx context.Context) error {
	before, err := d.composed(ctx, "ps", "-q", "web")
	if err != nil {
		return err
	}
	if err := d.scale(ctx, 5); err != nil {
		return err
	}
	after, err := d.composed(ctx, "ps", "-q", "web")
	if err != nil {
		return err
	}
	for id := range strings.FieldsSeq(after) {
		if strings.Contains(before, id) {
			continue
		}
		text, err := d.docker(ctx, "inspect", "-f", "{{.State.StartedAt}}", id)
		if err != nil {
			return err
		}
		if d.started[id], err = time.Parse(time.RFC3339Nano, text); err != nil {
			return err
		}
	}
	return nil
}

// killApp kills one of two apps. Docker does not start again what was killed by hand.
func (d *dockerSite) killApp(ctx context.Context) error {
	ids, err := d.composed(ctx, "ps", "-q", "web")
	if err != nil {
		return err
	}
	if _, err := d.docker(ctx, "kill", strings.Fields(ids)[0]); err != nil {
		return err
	}
	return d.untilServed(ctx, 1)
}

// killApps kills all apps, and waits until a program on the host has brought back as many as
// min_backends asks for.
func (d *dockerSite) killApps(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	watch := exec.CommandContext(ctx, filepath.Join(d.dir, "tandem"), "watch", "--active", "--socket", filepath.Join(d.dir, "run/lb1/control.sock"),
		"--socket", filepath.Join(d.dir, "run/lb2/control.sock"), "pool-below-minimum", "--", filepath.Join(d.dir, "scale.sh"))
	watch.Env = append(slices.Clone(d.env), "COMPOSE="+strings.Join(d.compose, " "), "COMPOSE_PROJECT_NAME="+d.project)
	watch.Cancel = func() error { return watch.Process.Signal(os.Interrupt) }
	watch.Stdout, watch.Stderr, watch.WaitDelay = d.errOut, d.errOut, 10*time.Second
	if err := watch.Start(); err != nil {
		stop()
		return err
	}
	defer func() {
		stop()
		watch.Wait() // it ends since it was told to
	}()
	if err := d.untilServed(ctx, 2); err != nil { // one was killed before
		return err
	}
	ids, err := d.composed(ctx, "ps", "-q", "web")
	if err != nil {
		return err
	}
	if _, err := d.docker(ctx, append([]string{"kill"}, d.running(ctx, strings.Fields(ids))...)...); err != nil {
		return err
	}
	if err := d.untilServed(ctx, 0); err != nil {
		return err
	}
	return d.untilServed(ctx, 2)
}

// running are those containers that run.
func (d *dockerSite) running(ctx context.Context, ids []string) (out []string) {
	for _, id := range ids {
		if state, err := d.docker(ctx, "inspect", "-f", "{{.State.Running}}", id); err == nil && state == "true" {
			out = append(out, id)
		}
	}
	return out
}

// startStopped starts the balancer that does not run.
func (d *dockerSite) startStopped(ctx context.Context) error {
	if _, err := d.docker(ctx, "start", d.container("lb1"), d.container("lb2")); err != nil {
		return err
	}
	return d.untilServed(ctx, 1)
}

// pause freezes the active for 3 s. Afterwards it is backup.
func (d *dockerSite) pause(ctx context.Context, active string) error {
	if _, err := d.docker(ctx, "pause", d.container(active)); err != nil {
		return err
	}
	if err := sleep(ctx, 3*time.Second); err != nil {
		return err
	}
	if _, err := d.docker(ctx, "unpause", d.container(active)); err != nil {
		return err
	}
	return d.untilServed(ctx, 1)
}

// connect gives back the network to the balancer that was taken off it, with its address.
func (d *dockerSite) connect(ctx context.Context) error {
	for lb, addr := range map[string]string{"lb1": dockerLB1, "lb2": dockerLB2} {
		networks, err := d.docker(ctx, "inspect", "-f", "{{len .NetworkSettings.Networks}}", d.container(lb))
		if err != nil {
			return err
		}
		if networks == "0" {
			if _, err := d.docker(ctx, "network", "connect", "--ip", addr, d.project+"_site", d.container(lb)); err != nil {
				return err
			}
		}
	}
	return d.untilServed(ctx, 1)
}

// searchKeys looks for both keys wherever Docker shows something to who may not read files.
func (d *dockerSite) searchKeys(ctx context.Context) (found []string, err error) {
	all, err := d.composed(ctx, "ps", "-q")
	if err != nil {
		return nil, err
	}
	places := [][]string{{"history", "--no-trunc", d.project}, {"history", "--no-trunc", d.project + "-app"}, {"image", "inspect", d.project, d.project + "-app"}}
	for id := range strings.FieldsSeq(all) {
		places = append(places, []string{"inspect", id}, []string{"logs", id})
	}
	for _, place := range places {
		shown, err := d.docker(ctx, place...)
		if err != nil {
			return nil, err
		}
		for _, name := range []string{"gossip.key", "balancer.key"} {
			key, err := os.ReadFile(filepath.Join(d.dir, "keys", name))
			if err != nil {
				return nil, err
			}
			if strings.Contains(shown, strings.TrimSpace(string(key))) {
				found = append(found, name+" in docker "+strings.Join(place, " "))
			}
		}
	}
	return found, nil
}

// joins measures, for each container that scale-up made, the time from its start, by the
// engine's clock, which is this machine's, until its app first answered the client.
func (d *dockerSite) joins(record clientRecord) (ms []float64) {
	for id, started := range d.started {
		if at, ok := firstAnswer(record.Requests, id); ok {
			ms = append(ms, millis(at-started.Sub(record.Zero)))
		}
	}
	return ms
}

// firstAnswer is when a container's app first answered.
func firstAnswer(reqs []client.Request, container string) (time.Duration, bool) {
	for _, r := range reqs {
		if r.Good() && r.From != "" && strings.HasPrefix(container, r.From) {
			return r.End, true
		}
	}
	return 0, false
}
