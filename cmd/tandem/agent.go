package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/agent"
	"github.com/tandem-lb/tandem/internal/config"
)

func newAgent() *cobra.Command {
	var (
		cfg       agent.Config
		bind      string
		addr      string
		advertise string
		keyFile   string
		level     slog.Level
	)
	cmd := &cobra.Command{
		Use:     "agent --pool POOL --port PORT --join SEED,… [flags] [-- COMMAND ARG…]",
		Short:   "run beside a web app, or as its parent, and announce it",
		GroupID: groupRun,
		Long: `Join the cluster and announce a web app to the balancers once its check passes; it
receives traffic at once. With a command the agent starts the app, and restarts it
when it ends. On SIGTERM it announces that the app drains, stops it, and leaves.`,
		Example: `  tandem agent --pool web --port 3000 --join 192.168.42.42 -- node server.js
  tandem agent --pool web --port 8080 --join lb1,lb2 --check /healthz`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 0 && len(args) > 0 {
				return fmt.Errorf("unexpected %q; the app's command comes after --", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var err error
			if cfg.Bind, err = optional(bind, "--bind", netip.ParseAddrPort); err != nil {
				return err
			}
			if cfg.Addr, err = optional(addr, "--addr", netip.ParseAddr); err != nil {
				return err
			}
			if cfg.Advertise, err = optional(advertise, "--advertise", netip.ParseAddr); err != nil {
				return err
			}
			if keyFile != "" {
				if cfg.Keys, err = config.ReadKeys("--gossip-key-file", keyFile); err != nil {
					return err
				}
			}
			cfg.Command, cfg.Version, cfg.Log = args, version, newLog("agent", level)
			return runAgent(cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Pool, "pool", "", "pool that the app serves")
	f.Uint16Var(&cfg.Port, "port", 0, "port that the app listens on")
	f.StringSliceVar(&cfg.Join, "join", nil, "balancers or members to join; the VIP will do")
	f.StringVar(&cfg.Name, "name", "", "this member's name (default: host name and port)")
	f.StringVar(&addr, "addr", "", "address where balancers reach the app (default: the one of gossip; another needs speak_for in the pool)")
	f.IntVar(&cfg.Weight, "weight", 100, "share of the requests, 1 to 256")
	f.StringToStringVar(&cfg.Tags, "tag", nil, "tags to announce: key=value")
	f.StringVar(&bind, "bind", "", "address:port of gossip (default all addresses, 7946)")
	f.StringVar(&advertise, "advertise", "", "address that the others use for this member (default: found)")
	f.StringVar(&keyFile, "gossip-key-file", "", "file with the key that admits members")
	f.StringVar(&cfg.Keyring, "keyring", "", "file that keeps the gossip keys when they are rotated (default: none, a restart needs a newer key file)")
	f.StringVar(&cfg.Snapshot, "snapshot", "", "file that remembers who was there, for the next start (default none)")
	f.StringVar(&cfg.Check.HTTP, "check", "", "path of an HTTP check (default: the app accepts a connection)")
	f.DurationVar(&cfg.Check.Interval, "check-interval", 0, "between two checks (default 1s)")
	f.DurationVar(&cfg.DrainTimeout, "drain", 0, "how long the app serves on, announced as draining (default 1s)")
	f.DurationVar(&cfg.StopGrace, "stop-grace", 0, "between SIGTERM and SIGKILL for the app (default 10s)")
	f.TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	for _, need := range []string{"pool", "port"} {
		cmd.MarkFlagRequired(need)
	}
	return cmd
}

// optional parses a flag that may be left out.
func optional[T any](text, flag string, parse func(string) (T, error)) (T, error) {
	var zero T
	if text == "" {
		return zero, nil
	}
	v, err := parse(text)
	if err != nil {
		return zero, usage("%s %q: %w", flag, text, err)
	}
	return v, nil
}

func runAgent(cfg agent.Config) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, agent.Signals()...)
	defer signal.Stop(signals)
	code, err := agent.Run(context.Background(), cfg, signals)
	if err != nil {
		return &exitError{code, err}
	}
	if code != exitDone {
		return &exitError{code: code}
	}
	return nil
}
