package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/agent"
	"github.com/tandem-lb/tandem/internal/config"
)

func newAgent() *cobra.Command {
	var (
		flags config.AgentFlags
		file  string
		level slog.Level
	)
	cmd := &cobra.Command{
		Use:     "agent --pool POOL --port PORT --join SEED,… [flags] [-- COMMAND ARG…]",
		Short:   "run beside a web app, or as its parent, and announce it",
		GroupID: groupRun,
		Long: `Join the cluster and announce a web app to the balancers once its check passes; it
receives traffic at once. With a command the agent starts the app, and restarts it
when it ends. On SIGTERM it announces that the app drains, waits until no balancer has
a request under way to it, stops it, and leaves; a second SIGTERM ends all at once.

Several apps: repeat --port, and --pool, --weight and --check where they differ, in the
same order. More processes, and what becomes of the lines they print, stand in a file
(--config).`,
		Example: `  tandem agent --pool web --port 3000 --join 192.168.42.42 -- node server.js
  tandem agent --pool web --port 8080 --join lb1,lb2 --check /healthz
  tandem agent --pool web --port 3000 --pool admin --port 3001 --join lb1 -- ./shop
  tandem agent --config /etc/tandem/agent.toml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 0 && len(args) > 0 {
				return fmt.Errorf("unexpected %q; the app's command comes after --", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			flags.Command = args
			cfg, err := config.LoadAgent(file, flags)
			switch {
			case err != nil && file == "":
				return &exitError{exitUsage, err}
			case err != nil:
				return err
			}
			return runAgent(agent.Config{Agent: *cfg, Version: version, Log: newLog("agent", level)})
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "file with apps, processes, logs; flags stand in the place of its keys")
	f.StringArrayVar(&flags.Pools, "pool", nil, "pool that the app serves")
	f.StringArrayVar(&flags.Ports, "port", nil, "port that the app listens on; may be repeated")
	f.StringArrayVar(&flags.Weights, "weight", nil, "share of the requests, 1 to 256 (default 100)")
	f.StringArrayVar(&flags.Checks, "check", nil, "path of an HTTP check, or tcp: the app accepts a connection (default tcp)")
	f.StringVar(&flags.Addr, "addr", "", "address where balancers reach the app (default: the one of gossip; another needs speak_for in the pool)")
	f.BoolVar(&flags.CheckTLS, "check-tls", false, "the check speaks TLS, as the app does; its certificate must be good")
	f.StringVar(&flags.CheckServerName, "check-server-name", "", "name that must stand in the certificate (default: the address that is asked)")
	f.StringVar(&flags.CheckCAFile, "check-ca-file", "", "authorities that may have signed it, in PEM form (default: those of the system)")
	f.StringVar(&flags.CheckInterval, "check-interval", "", "between two checks (default 1s)")
	f.StringVar(&flags.CheckTimeout, "check-timeout", "", "a check that takes longer has failed (default 1s)")
	f.StringVar(&flags.Rise, "rise", "", "checks that must pass in a row after failures (default 2; a new app needs one)")
	f.StringVar(&flags.Fall, "fall", "", "checks that must fail in a row (default 3)")
	f.StringSliceVar(&flags.Join, "join", nil, "balancers or members to join; the VIP will do")
	f.StringVar(&flags.Name, "name", "", "this member's name (default: host name and port)")
	f.StringSliceVar(&flags.Tags, "tag", nil, "tags to announce: key=value")
	f.StringVar(&flags.Gossip, "gossip", "", "address:port of gossip (default all addresses, 7946 or a free port)")
	f.StringVar(&flags.Advertise, "advertise", "", "address that the others use for this member (default: found)")
	f.StringVar(&flags.GossipKeyFile, "gossip-key-file", "", "file with the key that admits members")
	f.StringVar(&flags.Keyring, "keyring", "", "file that keeps the gossip keys when they are rotated (default: none, a restart needs a newer key file)")
	f.StringVar(&flags.Snapshot, "snapshot", "", "file that remembers who was there, for the next start (default none)")
	f.StringVar(&flags.Socket, "socket", "", "unix socket on which the app can change its weight, and drain (default none)")
	f.StringVar(&flags.DrainTime, "drain-time", "", "how long balancers are waited for before the app is stopped (default 20s)")
	f.StringVar(&flags.StopTimeout, "stop-timeout", "", "between SIGTERM and SIGKILL for the app (default 10s)")
	f.StringVar(&flags.Restart, "restart", "", "when the command is started again: always, on-failure or never (default always)")
	f.StringVar(&flags.RestartLimit, "restart-limit", "", "restarts in a row, then the agent ends with the command's exit code (default no limit)")
	f.StringVar(&flags.Prefix, "prefix", "", "begin lines with the process's name: auto, always or never (default auto: with several processes)")
	f.StringVar(&flags.Syslog, "syslog", "", "collector of the app's lines: tls://HOST, tcp://HOST or udp://HOST, with :PORT")
	f.TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	return cmd
}

func runAgent(cfg agent.Config) error {
	runtime.GOMAXPROCS(1) // it has little to do; a second thread that looks for work makes idling dearer
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
