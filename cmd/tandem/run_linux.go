package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/control"
	"github.com/tandem-lb/tandem/internal/keeper"
	"github.com/tandem-lb/tandem/internal/proxy"
	"github.com/tandem-lb/tandem/internal/runner"
)

// childFD is where the keeper puts its child's end of their socketpair.
const childFD = 3

// runLB is the keeper. The first SIGTERM or SIGINT ends it in good order, the second at
// once; SIGHUP has load read the configuration again, SIGUSR1 opens the access log
// anew. A nil load: there is no file.
func runLB(cfg *config.Config, load func() (*config.Config, error)) error {
	if err := keeper.ShedRights(); err != nil {
		return err
	}
	callMyself("tandem")
	hangups := make(chan os.Signal, 1) // BEFORE anything is there that it could end
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	rotated := make(chan os.Signal, 1)
	signal.Notify(rotated, syscall.SIGUSR1)
	defer signal.Stop(rotated)
	level := new(slog.LevelVar)
	k, err := keeper.New(cfg, version, level, newLog("keeper", level))
	if err != nil {
		return err
	}
	k.Reload(load, hangups)
	k.ReopenLogs(rotated)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	force := make(chan struct{})
	go func() {
		select {
		case <-signals:
			stop()
		case <-ctx.Done():
			return
		}
		<-signals
		close(force)
	}()
	return k.Run(ctx, force)
}

// callMyself sets the name that ps and top show of this process: of what is started from
// /proc/self/exe it is "exe" else. No more than 15 bytes are shown. That it fails changes nothing else.
func callMyself(name string) { _ = os.WriteFile("/proc/self/comm", []byte(name), 0) }

// releaseAll clears this host; no balancer may be running on it.
func releaseAll(ctx context.Context, socket string, vips []netip.Addr) ([]string, error) {
	return keeper.ReleaseAll(ctx, socket, vips...)
}

// childCommands are the keeper's children; nobody else starts them.
func childCommands() []*cobra.Command {
	child := func(name string, run func(*os.File, *slog.LevelVar, *slog.Logger) error) *cobra.Command {
		return &cobra.Command{
			Use:    name,
			Short:  "the " + name + " process of 'tandem lb', which starts it",
			Hidden: true,
			Args:   cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				f := os.NewFile(childFD, "keeper")
				if st, err := f.Stat(); err != nil || st.Mode()&os.ModeSocket == 0 {
					return usage("'tandem %s' is started by 'tandem lb' and does nothing by itself", name)
				}
				callMyself("tandem-" + name)
				level := new(slog.LevelVar)
				if err := run(f, level, newLog(name, level)); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				return nil
			},
		}
	}
	return []*cobra.Command{child("control", control.Run), child("proxy", proxy.Run), child("runner", runner.Run)}
}
