package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/doctor"
	"github.com/tandem-lb/tandem/internal/paint"
)

// defaultConfig is where packages and the unit have the configuration.
const defaultConfig = "/etc/tandem/tandem.toml"

func newDoctor() *cobra.Command {
	var (
		look   lookFlags
		file   string
		flags  config.Flags
		listen time.Duration
	)
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "look for what stands in a balancer's way on this host",
		GroupID: groupSetup,
		Args:    cobra.NoArgs,
		Long: `Look at this host and its network before a balancer is started, or while it runs, and
name what stands in its way: each finding says what is there, why that matters and what
to do. It looks at rights, at the interface and subnet of the VIPs, who answers for them
on the wire, other VRRP routers there, ports that are taken, whether peers answer, hear and
are heard, and how large packets get to them, keys and configurations that differ, clocks, limits and the kernel.

Nothing is changed. One ARP probe for each VIP goes out, and attempts to connect to the
peers, and pings of several sizes. What it looks for is in the configuration, or in the flags as of 'tandem lb'.

It ends with 0 when there is no error; warnings and notes are none. Run it as root, or it
says what it could not look at.`,
		Example: `  sudo tandem doctor
  sudo tandem doctor --vip 192.168.42.42 --join 192.168.42.12
  sudo tandem doctor --json | jq '.[] | select(.level == "error")'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := doctorConfig(file, flags)
			if err != nil {
				return err
			}
			running, err := runningBalancer(cmd.Context(), cmp.Or(look.socket, cfg.Control.Socket))
			if err != nil {
				return err
			}
			found := doctor.Check(doctor.Collect(cmd.Context(), wanted(cfg), running, listen))
			if look.json {
				err = printJSON(cmd.OutOrStdout(), found)
			} else {
				err = printFindings(cmd.OutOrStdout(), found, running != nil)
			}
			if err == nil && doctor.Worst(found) == doctor.Error {
				err = &exitError{code: exitFailed}
			}
			return err
		},
	}
	f := cmd.Flags()
	look.add(cmd)
	f.Lookup("socket").DefValue, look.socket = "", ""
	f.Lookup("socket").Usage = "admin socket of the balancer (default the configuration's)"
	f.StringVarP(&file, "config", "c", "", "configuration file (default "+defaultConfig+", if it is there)")
	nodeFlags(f, &flags.Overrides)
	f.StringSliceVar(&flags.VIPs, "vip", nil, "address that the balancer shall hold, where there is no file")
	f.StringSliceVar(&flags.Join, "join", nil, "the other balancers, where there is no file")
	f.StringSliceVar(&flags.Listen, "listen", nil, "where the proxy shall listen, where there is no file (default :80)")
	f.DurationVar(&listen, "wire", 3*time.Second, "how long to listen on the wire")
	return cmd
}

// doctorConfig reads what the balancer is, or will be, started with.
func doctorConfig(file string, flags config.Flags) (*config.Config, error) {
	if _, err := os.Stat(defaultConfig); err == nil && file == "" && len(flags.VIPs) == 0 {
		file = defaultConfig
	}
	if file == "" {
		flags.Pool = "web"
		cfg, err := config.FromFlags(flags)
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		return cfg, nil
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return cfg, cfg.Apply(flags.Overrides)
}

// wanted translates the configuration.
func wanted(c *config.Config) doctor.Wanted {
	w := doctor.Wanted{
		Interface: c.Node.Interface, GossipPort: c.Cluster.Gossip.Port(), AdvertPort: c.Cluster.AdvertPort, StatusPort: c.Control.Status.Port(),
	}
	for _, v := range c.VIPs {
		w.VIPs = append(w.VIPs, v.Address)
		w.Interface, w.Hook = cmp.Or(v.Interface, w.Interface), w.Hook || v.Hook != nil
	}
	for _, f := range c.Frontends {
		w.Frontends = append(w.Frontends, f.Listen)
	}
	own := ownAddrs()
	for _, seed := range c.Cluster.Join {
		addr, err := netip.ParseAddr(seed)
		if err != nil {
			if ap, err := netip.ParseAddrPort(seed); err == nil {
				addr = ap.Addr()
			}
		}
		if addr.IsValid() && !slices.Contains(own, addr.Unmap()) && !slices.Contains(w.VIPs, addr.Unmap()) {
			w.Peers = append(w.Peers, addr.Unmap())
		}
	}
	return w
}

func ownAddrs() (all []netip.Addr) {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr())
		}
	}
	return all
}

// runningBalancer asks the balancer on this host; nil: there is none.
func runningBalancer(ctx context.Context, socket string) (*doctor.Running, error) {
	client := api.NewClient(socket)
	c, err := client.Cluster(ctx)
	v, _ := c.Find(c.Node)
	if err == nil && v.Status == nil {
		err = fmt.Errorf("the balancer on %s does not say how it is", socket)
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, err
	case errors.Is(err, api.ErrUnreachable):
		return nil, nil
	case err != nil:
		return nil, err
	}
	s := *v.Status
	r := &doctor.Running{Node: s.Node, Refused: s.Adverts.Refused, Authenticated: s.Authenticated, Encrypted: s.Encrypted, OtherConfigs: s.Config.Others}
	for _, p := range s.Processes {
		switch {
		case p.Name == "keeper":
			r.PID = p.PID
		case p.Name == "proxy" && p.Doing == "serving":
			r.ProxyPID = p.PID
		}
	}
	for _, m := range s.Members {
		if m.Role == "balancer" && m.State == "alive" && m.Name != s.Node {
			r.Balancers = append(r.Balancers, m.Name)
		}
		if m.Role == "balancer" && m.State == "failed" {
			r.Gone = append(r.Gone, m.Name)
		}
	}
	for _, g := range s.Groups {
		one := doctorGroup(g, s.AdvertInterval)
		one.DeafTo = deafTo(c, g.Name)
		r.Groups = append(r.Groups, one)
	}
	if s.Encrypted {
		r.KeysDiffer = keysDiffer(ctx, client, s.Node)
	}
	return r, nil
}

func doctorGroup(g api.Group, interval time.Duration) doctor.Group {
	out := doctor.Group{
		Name: g.Name, State: g.State, Reason: g.Reason, Active: g.Active, Answers: g.Answers.IPv4, Note: g.Answers.Note, Lossy: g.Lossy,
		SelfTests: map[string]string{},
	}
	if out.Answers == "none" {
		out.Answers = g.Answers.IPv6
	}
	for _, p := range g.Peers {
		if p.HeardAgo < heardFor(interval) {
			out.Heard = append(out.Heard, p.Node)
		}
	}
	for _, t := range g.SelfTests {
		if out.SelfTests[t.Peer] = ""; !t.Lossless {
			out.SelfTests[t.Peer] = cmp.Or(t.Why, "the test failed")
		}
	}
	return out
}

// deafTo names the balancers that tell that they do not hear the one that answers.
func deafTo(c api.Cluster, group string) (names []string) {
	for _, v := range c.Nodes {
		if v.Node == c.Node || !v.Heard() {
			continue
		}
		for _, g := range v.Status.Groups {
			hears := slices.ContainsFunc(g.Peers, func(p api.Peer) bool { return p.Node == c.Node && p.HeardAgo < heardFor(v.Status.AdvertInterval) })
			if g.Name == group && !hears {
				names = append(names, v.Node)
			}
		}
	}
	return names
}

// heardFor is how long an advert is fresh.
func heardFor(interval time.Duration) time.Duration { return max(time.Second, 10*interval) }

// keysDiffer names the members that hold other gossip keys than this node.
func keysDiffer(ctx context.Context, client *api.Client, own string) (names []string) {
	k, err := client.Keys(ctx, api.KeyOrder{Do: "list"})
	if err != nil {
		return nil
	}
	var mine []string
	for _, h := range k.Holders {
		if h.Name == own {
			mine = h.Keys
		}
	}
	for _, h := range k.Holders {
		if h.Error == "" && !slices.Equal(h.Keys, mine) {
			names = append(names, h.Name)
		}
	}
	return names
}

func printFindings(w io.Writer, found []doctor.Finding, running bool) error {
	fmt.Fprintln(w, either(running, "A balancer runs on this host.", "No balancer runs on this host."))
	ink := paint.To(w)
	levels := map[string]alarm{doctor.Error: broken, doctor.Warning: look, doctor.Good: good}
	counts := map[string]int{}
	for _, f := range found {
		counts[f.Level]++
		fmt.Fprintf(w, "\n%s  %s  [%s]\n", alarmed(ink, levels[f.Level], fmt.Sprintf("%-7s", f.Level)), f.What, ink.Dim(f.ID))
		if f.Why != "" {
			fmt.Fprintf(w, "         why: %s\n", f.Why)
		}
		if f.Fix != "" {
			fmt.Fprintf(w, "         fix: %s\n", f.Fix)
		}
	}
	many := func(n int, what string) string { return fmt.Sprintf("%d %s%s", n, what, either(n == 1, "", "s")) }
	_, err := fmt.Fprintf(w, "\n%s, %s, %s, %d good\n", many(counts[doctor.Error], "error"), many(counts[doctor.Warning], "warning"), many(counts[doctor.Note], "note"), counts[doctor.Good])
	return err
}
