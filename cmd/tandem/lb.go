package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/paint"
)

func newLB() *cobra.Command {
	var (
		file  string
		flags config.Flags
	)
	cmd := &cobra.Command{
		Use:     "lb",
		Short:   "run a balancer",
		GroupID: groupRun,
		Args:    cobra.NoArgs,
		Long: `Run a balancer: it gossips, takes part in the election, holds the VIP when it is
active, and carries traffic to the apps. It stays in the foreground and logs to
standard error. SIGTERM hands the VIP over, waits until the connections have ended
(drain_time at most) and ends it in good order; a second one ends it at once. SIGHUP
loads the file again, as 'tandem reload' does; SIGUSR1 opens the access log anew.`,
		Example: `  tandem lb --vip 192.168.42.42 --join 192.168.42.11,192.168.42.12 --listen :80 --pool web
  tandem lb --config /etc/tandem/tandem.toml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file, flags, cmd.Flags())
			if err != nil {
				return err
			}
			if file == "" {
				return runLB(cfg, nil)
			}
			return runLB(cfg, func() (*config.Config, error) { return loadConfig(file, flags, cmd.Flags()) })
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration file, the same on every balancer")
	nodeFlags(f, &flags.Overrides)
	f.StringSliceVar(&flags.VIPs, "vip", nil, "address that clients use and the active balancer holds")
	f.StringSliceVar(&flags.Join, "join", nil, "balancers to join: addresses or names")
	f.StringSliceVar(&flags.Listen, "listen", nil, "where the proxy listens (default :80)")
	f.StringVar(&flags.Pool, "pool", "", "pool that serves the requests")
	f.StringSliceVar(&flags.Backends, "backend", nil, "apps that do not join by themselves: address:port")
	f.StringVar(&flags.Check, "check", "", `how apps are checked: "tcp" or the path of an HTTP check (default tcp)`)
	f.StringVar(&flags.Gossip, "gossip", "", "address:port of gossip (default all addresses, 7946)")
	f.StringVar(&flags.GossipKeyFile, "gossip-key-file", "", "file with the key that admits members")
	f.StringVar(&flags.BalancerKeyFile, "balancer-key-file", "", "file with the key that may move the VIP")
	f.StringVar(&flags.AdvertPort, "advert-port", "", "UDP port of adverts (default 7947)")
	f.StringVar(&flags.AdvertInterval, "advert-interval", "", "time between adverts, 5ms to 10s (default 20ms)")
	f.StringVar(&flags.Socket, "socket", "", "admin socket (default /run/tandem/control.sock)")
	f.StringVar(&flags.StateDir, "state", "", "directory for what is remembered: members, gossip keys and timeline (default systemd's StateDirectory, else none)")
	f.StringVar(&flags.Status, "status", "", `address:port of the status page and metrics, or "off" (default all addresses, 1936)`)
	return cmd
}

// nodeFlags are those that may stand beside a file.
func nodeFlags(f *pflag.FlagSet, o *config.Overrides) {
	f.StringVar(&o.Name, "name", "", "this node's name (default the host name)")
	f.StringVar(&o.Interface, "interface", "", "interface of the VIP (default: the one with its subnet)")
	f.StringVar(&o.Priority, "priority", "", "1 to 254; higher is preferred (default 100)")
	f.StringVar(&o.Advertise, "advertise", "", "address that the others use for this node (default: found)")
	f.StringVar(&o.LogLevel, "log-level", "", "debug, info, warn or error (default info)")
}

// besideFile are the flags that do not describe the cluster.
var besideFile = map[string]bool{
	"config": true, "name": true, "interface": true, "priority": true, "advertise": true, "log-level": true, "help": true,
}

// loadConfig reads the file, or else the flags; never a mixture of both.
func loadConfig(file string, flags config.Flags, given *pflag.FlagSet) (*config.Config, error) {
	if file == "" {
		cfg, err := config.FromFlags(flags)
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		return cfg, nil
	}
	var stray error
	given.Visit(func(f *pflag.Flag) {
		if !besideFile[f.Name] && stray == nil {
			stray = usage("--%s says what %s should say: write it there, or leave --config out", f.Name, file)
		}
	})
	if stray != nil {
		return nil, stray
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return cfg, cfg.Apply(flags.Overrides)
}

// newLog makes the log of a daemon: text on standard error, one line an event.
func newLog(process string, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("process", process)
}

func newCheck() *cobra.Command {
	var agents bool
	cmd := &cobra.Command{
		Use:     "check FILE",
		Short:   "check a configuration file",
		GroupID: groupSetup,
		Args:    cobra.ExactArgs(1),
		Long:    "Read a configuration file and report everything that is wrong with it, with line and remedy.",
		Example: "  tandem check /etc/tandem/tandem.toml\n  tandem check --agent /etc/tandem/agent.toml",
		RunE: func(cmd *cobra.Command, args []string) error {
			ink := paint.To(cmd.OutOrStdout())
			if agents {
				a, err := config.LoadAgent(args[0], config.AgentFlags{})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s: %d apps, %d processes\n", args[0], ink.Green("good"), len(a.Apps), len(a.Processes))
				return err
			}
			cfg, err := config.Load(args[0])
			if err != nil {
				return err
			}
			for _, w := range cfg.Warnings {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %v\n", ink.Yellow("warning:"), w)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s: %d VIPs, %d frontends, %d pools\n",
				args[0], ink.Green("good"), len(cfg.VIPs), len(cfg.Frontends), len(cfg.Pools))
			return err
		},
	}
	cmd.Flags().BoolVar(&agents, "agent", false, "it is an agent's file, not a balancer's")
	return cmd
}
