package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/hook"
)

// watching is what tandem watch was told.
type watching struct {
	sockets     []string
	query       api.WatchQuery
	json        bool
	format      string
	timeout     time.Duration
	concurrency int
	program     []string
}

func newWatch() *cobra.Command {
	w := watching{format: string(hook.JSON)}
	cmd := &cobra.Command{
		Use:     "watch [EVENT…] [-- PROGRAM ARG…]",
		Short:   "run a program, or print a line, when something happens",
		GroupID: groupLook,
		Long: `Wait for events, of all kinds unless some are named, and run PROGRAM for each: it finds
the event as JSON on its standard input and the essentials in its environment, as a
[[hook]] of the configuration does, but runs here, as you, with your environment.
Events that come while it runs wait, 256 at most. Without PROGRAM each event is printed.

It works from any machine that reaches the socket of a balancer: one that is mounted,
or forwarded by ssh -L. A balancer that is gone is asked again for ever. Each balancer
tells what it sees itself, so name the sockets of all; with --active only the active
one's events count, so that each is told once. An event is told at least once.

The events: ` + strings.Join(hook.Names, ", ") + `.`,
		Example: `  tandem watch pool-below-minimum -- docker compose up -d --no-recreate --scale webapp=3
  tandem watch --json member-join member-failed
  tandem watch --socket lb1.sock --socket lb2.sock --active backend-down -- ./tell-us.sh`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 {
				dash = len(args)
			}
			w.query.Events, w.program = args[:dash], args[dash:]
			if err := w.check(dash < len(args) || cmd.ArgsLenAtDash() < 0); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return w.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&w.sockets, "socket", []string{api.DefaultSocket}, "admin socket of a balancer; may be repeated")
	f.BoolVar(&w.json, "json", false, "print JSON, an object a line")
	f.BoolVar(&w.query.ActiveOnly, "active", false, "only events of the balancer that is active")
	f.StringVar(&w.format, "format", w.format, "how PROGRAM is told: json, or serf for one that was written for Serf")
	f.DurationVar(&w.timeout, "timeout", 10*time.Minute, "PROGRAM is killed after so long")
	f.IntVar(&w.concurrency, "concurrency", 1, "how many of PROGRAM may run at one time, 1 to 16")
	return cmd
}

func (w *watching) check(program bool) error {
	for _, name := range w.query.Events {
		if !slices.Contains(hook.Names, name) {
			return usage("there is no event %q; the program comes after --, and the events are %s", name, strings.Join(hook.Names, ", "))
		}
	}
	switch {
	case !program:
		return usage("there is no program after --")
	case w.json && len(w.program) > 0:
		return usage("--json prints events, but a program was given; leave one of them out")
	case w.format != string(hook.JSON) && w.format != string(hook.Serf):
		return usage("--format %q: want json or serf", w.format)
	case w.timeout < 100*time.Millisecond || w.timeout > 24*time.Hour:
		return usage("--timeout %v: want 100ms to 24h", w.timeout)
	case w.concurrency < 1 || w.concurrency > 16:
		return usage("--concurrency %d: want 1 to 16", w.concurrency)
	case w.format == string(hook.Serf) && len(w.query.Events) == 0:
		w.query.Events = hook.SerfNames
	}
	return nil
}

// run watches until ctx ends, which is no error.
func (w *watching) run(ctx context.Context, out, errOut io.Writer) error {
	lines := make(chan json.RawMessage)
	g, ctx := errgroup.WithContext(ctx)
	for _, socket := range w.sockets {
		g.Go(func() error {
			return api.NewClient(socket).Watch(ctx, w.query, func(line json.RawMessage) {
				select {
				case lines <- line:
				case <-ctx.Done():
				}
			}, func(err error) { fmt.Fprintf(errOut, "tandem: %v\n", err) })
		})
	}
	g.Go(func() error {
		if len(w.program) == 0 {
			return w.print(ctx, lines, out)
		}
		w.serve(ctx, lines, out, errOut)
		return nil
	})
	return g.Wait()
}

func (w *watching) print(ctx context.Context, lines <-chan json.RawMessage, out io.Writer) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case line := <-lines:
			text := string(line)
			if !w.json {
				var e hook.Event
				if err := json.Unmarshal(line, &e); err != nil {
					return fmt.Errorf("the balancer tells something else than this version of tandem expects: %w", err)
				}
				text = eventLine(e)
			}
			if _, err := fmt.Fprintln(out, text); err != nil {
				return err
			}
		}
	}
}

// serve runs the program for each event.
func (w *watching) serve(ctx context.Context, lines <-chan json.RawMessage, out, errOut io.Writer) {
	events := make(chan hook.Event)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for {
			var e hook.Event
			select {
			case <-ctx.Done():
				return nil
			case line := <-lines:
				if err := json.Unmarshal(line, &e); err != nil {
					fmt.Fprintf(errOut, "tandem: an event that this version does not know: %v\n", err)
					continue
				}
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
	})
	rule := hook.Rule{Name: w.program[0], Concurrency: w.concurrency, Queue: 256}
	hook.Serve(ctx, []hook.Rule{rule}, events, func(ctx context.Context, s hook.Started) hook.Result {
		return w.start(ctx, s.Event, out)
	}, func(s hook.Started, r hook.Result) {
		if err := r.Error(); err != nil {
			fmt.Fprintf(errOut, "tandem: %s for %s: %v\n", rule.Name, s.Event.Name, err)
		}
	}, func(name string) {
		fmt.Fprintf(errOut, "tandem: %s is too slow: the oldest event that waits for it is dropped\n", name)
	})
	g.Wait()
}

func (w *watching) start(ctx context.Context, e hook.Event, out io.Writer) hook.Result {
	in, err := e.Input(hook.Format(w.format), hook.Self{Name: e.Node})
	if err != nil {
		return hook.Result{Err: err.Error()}
	}
	dir, err := os.Getwd()
	if err != nil {
		return hook.Result{Err: err.Error()}
	}
	return hook.Run(ctx, hook.Program{
		Argv: w.program, Dir: dir, Env: append(os.Environ(), in.Env...), Stdin: in.Stdin, Timeout: w.timeout, Output: out,
	})
}

// eventLine is one event for people.
func eventLine(e hook.Event) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, "%s  %s  %-18s", e.Time.Local().Format("15:04:05.000"), e.Node, e.Name)
	for _, m := range e.Members {
		fmt.Fprintf(b, " %s (%s)", m.Name, m.Addr.Addr())
	}
	for _, word := range []string{e.Pool, e.Backend, e.Group, e.UserEvent} {
		if word != "" {
			b.WriteString(" " + word)
		}
	}
	if s := e.Shortage; s != nil {
		fmt.Fprintf(b, ": wanted %d, up %d, missing %d", s.Wanted, s.Up, s.Missing)
	}
	if e.From != "" {
		fmt.Fprintf(b, ": %s → %s", e.From, e.Name)
	}
	if why := strings.TrimSpace(strings.Join([]string{e.Reason, e.Peer, e.Detail}, " ")); why != "" {
		fmt.Fprintf(b, " (%s)", why)
	}
	if len(e.Payload) > 0 {
		fmt.Fprintf(b, " %q", e.Payload)
	}
	return b.String()
}
