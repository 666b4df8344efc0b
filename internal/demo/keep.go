package demo

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// keep leaves the network running until ctx ends or the user quits.
func (r *runner) keep(ctx context.Context) error {
	s := r.site
	for _, m := range s.machines {
		if m.running() {
			continue
		}
		if err := m.start(); err != nil {
			return err
		}
		r.progress("%s is started again", m.name)
	}
	if err := r.forward(); err != nil {
		return err
	}
	r.help()
	lines := r.lines(ctx)
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	told := s.active()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.ctx.Done():
			return fmt.Errorf("the observers ended: %w", context.Cause(s.ctx))
		case line, ok := <-lines:
			if !ok {
				lines = nil // no more commands: wait for ctx
				continue
			}
			if strings.TrimSpace(line) == "quit" {
				return nil
			}
			if err := r.command(ctx, strings.Fields(line)); err != nil {
				r.view.line("%s", r.view.ink.Red(err.Error()))
			}
		case <-poll.C:
			if now := s.active(); now != told && now != "" {
				r.progress("active: %s", now)
				told = now
			}
		}
	}
}

// forward makes what can be looked at reachable on the user's 127.0.0.1.
func (r *runner) forward() error {
	s := r.site
	show := func(what string, host *lab.Host, to netip.AddrPort) error {
		a, err := host.Forward(0, to)
		if err != nil {
			return fmt.Errorf("serve %s on 127.0.0.1: %w", what, err)
		}
		r.view.line("  http://%-21s %s (%v)", a, what, to)
		return nil
	}
	r.view.line("")
	r.view.line("%s", r.view.ink.Bold("Everything keeps running. To look at:"))
	if err := show("the site", s.client, netip.AddrPortFrom(vip, sitePort)); err != nil {
		return err
	}
	for _, m := range s.machines {
		if m.running() && m.listens(statusPort) {
			if err := show("status page of "+m.name, s.client, netip.AddrPortFrom(m.addr.Addr(), statusPort)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) help() {
	r.view.line("%s", r.view.ink.Bold("To type here:"))
	for _, l := range []string{
		"lb1 status        runs `tandem status` in host lb1; any host, any command",
		"off lb1           takes its power, on lb1 gives it back and starts its daemon",
		"stop web1         sends SIGTERM to its daemon, start web1 starts it again",
		"log lb1           the last lines its daemon wrote",
		"load              the last second, as the client saw it",
		"quit              (or Ctrl-C) ends and removes everything",
	} {
		r.view.line("  %s", l)
	}
}

// lines delivers what the user types, until ctx ends or the input does.
func (r *runner) lines(ctx context.Context) <-chan string {
	if r.opt.In == nil {
		return nil
	}
	ch := make(chan string)
	// A read from a terminal cannot be taken back: this goroutine ends with the
	// input or with the program.
	go func() {
		defer close(ch)
		for in := bufio.NewScanner(r.opt.In); in.Scan(); {
			select {
			case ch <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch
}

func (r *runner) command(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return nil
	}
	if words[0] == "load" {
		now := r.site.log.Now()
		r.view.live(now, time.Second, r.site.log.Since(now-time.Second), r.site.active())
		return nil
	}
	verb, name := words[0], ""
	if len(words) > 1 {
		name = words[1]
	}
	if m := find(r.site.machines, verb); m != nil {
		return r.runIn(ctx, m, words[1:])
	}
	m := find(r.site.machines, name)
	if m == nil {
		r.help()
		return nil
	}
	switch verb {
	case "off":
		return m.powerOff()
	case "on":
		return m.powerOn()
	case "stop":
		return m.terminate()
	case "start":
		if m.running() {
			return fmt.Errorf("the daemon of %s is running", name)
		}
		return m.start()
	case "log":
		for _, l := range m.log.last(30) {
			r.view.line("    %s", l)
		}
	default:
		r.help()
	}
	return nil
}

// runIn runs tandem in a host, for 10 s at most, and prints what it says.
func (r *runner) runIn(ctx context.Context, m *machine, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("what shall run in %s? for instance: %s status", m.name, m.name)
	}
	p, err := m.host.Start(lab.Command{Path: r.opt.Exe, Args: args, Stdout: r.view.w, Stderr: r.view.w})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case <-p.Done():
		if err := p.Wait(); err != nil {
			r.view.line("%s", r.view.ink.Dim("("+err.Error()+")"))
		}
		return nil
	case <-ctx.Done():
		_ = p.Signal(os.Kill)
		return fmt.Errorf("tandem %s in %s was ended after 10 s", args[0], m.name)
	}
}
