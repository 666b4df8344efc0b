package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

// lookFlags are shared by the commands that print what a balancer knows.
type lookFlags struct {
	socket string
	json   bool
}

func (l *lookFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.socket, "socket", api.DefaultSocket, "admin socket of the balancer")
	cmd.Flags().BoolVar(&l.json, "json", false, "print JSON")
}

func newStatus() *cobra.Command {
	var (
		look lookFlags
		node string
		all  bool
		more again
	)
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "show who is active, the processes, and the backends",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		Long: `Show who is active, since when and why; every balancer in a line, with the age of what it
said (who has not been heard for 3 s is "unknown"), and whether it can be rebooted now; and
then all that one of them knows of itself, the one on this host or --node: whether a
handover would be lossless, the three processes with their rights, frontends, pools and
backends. With --json it is everything, with every counter.`,
		Example: `  tandem status
  tandem status --node lb2
  tandem status --cluster --watch
  tandem status --json | jq '.groups[] | {name, state, active}'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := api.NewClient(look.socket)
			return more.run(cmd, look.json, func(ctx context.Context, w io.Writer) error {
				return showStatus(ctx, w, client, node, all, look.json)
			})
		},
	}
	look.add(cmd)
	cmd.Flags().StringVar(&node, "node", "", "balancer to show (default the one that answers)")
	cmd.Flags().BoolVar(&all, "cluster", false, "show the lines of all balancers alone")
	more.add(cmd)
	return cmd
}

// showStatus shows one balancer, the one that answers if node is empty, or the lines of all.
func showStatus(ctx context.Context, w io.Writer, client *api.Client, node string, all, asJSON bool) error {
	if asJSON && node == "" && !all { // the others need not be waited for
		s, err := client.Status(ctx)
		if err != nil {
			return err
		}
		return printJSON(w, s)
	}
	c, err := client.Cluster(ctx)
	if err != nil {
		return err
	}
	v, err := pick(c, node)
	switch {
	case all && asJSON:
		return printJSON(w, c)
	case all:
		err := printCluster(w, c)
		printReboots(w, c)
		return err
	case err != nil:
		return err
	case asJSON:
		return printJSON(w, v.Status)
	}
	if err := printCluster(w, c); err != nil {
		return err
	}
	printReboots(w, c)
	fmt.Fprintln(w)
	return printStatus(w, *v.Status)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printStatus(w io.Writer, s api.Status) error {
	ink := paint.To(w)
	fmt.Fprintf(w, "%s  tandem %s, up %s, adverts every %v %s, gossip %s\n", ink.Bold(s.Node), s.Version, ago(s.At, s.Since), s.AdvertInterval,
		either(s.Authenticated, "authenticated", "unauthenticated"), either(s.Encrypted, "encrypted", "unencrypted"))
	if len(s.Config.Others) > 0 {
		fmt.Fprintf(w, ink.Yellow("configuration %s is not the one of %s; the same file belongs on all balancers, with a reload of each")+"\n", s.Config.Hash, strings.Join(s.Config.Others, ", "))
	}
	if !s.Maint.IsZero() {
		fmt.Fprintf(w, ink.Yellow("in maintenance")+" since %s: no candidate for any VIP; 'tandem maint off' ends it\n", ago(s.At, s.Maint))
	}
	for _, g := range s.Groups {
		printGroup(w, g, s.At)
	}
	for _, t := range s.Tracks {
		switch t.State {
		case "down":
			fmt.Fprintf(w, "track %s: %s since %s, which costs %d of the fitness: %s\n", t.Name, ink.Red("down"), ago(s.At, t.Since), t.Weight, t.Reason)
		case "up":
			fmt.Fprintf(w, "track %s: %s since %s\n", t.Name, ink.Green("up"), ago(s.At, t.Since))
		default:
			fmt.Fprintf(w, "track %s: not known yet\n", t.Name)
		}
	}
	fmt.Fprintln(w)
	t := newTable(w, "PROCESS", "PID", "UP", "RESTARTS", "READY", "UID", "CAPABILITIES", "NO_NEW_PRIVS", "MEMORY")
	for _, p := range s.Processes {
		uid := fmt.Sprint(p.UID)
		if p.UserNote != "" {
			uid += " (" + p.UserNote + ")"
		}
		name := p.Name
		if p.Doing != "" && p.Doing != "serving" {
			name = fmt.Sprintf("%s, %s, %d clients", p.Name, p.Doing, p.Clients)
		}
		t.row(name, fmt.Sprint(p.PID), ago(s.At, p.Since), fmt.Sprint(p.Restarts), either(p.Ready, "yes", ink.Yellow("no")),
			uid, capabilities(p.CapEff), either(p.NoNewPriv, "yes", ink.Yellow("no")), fmt.Sprintf("%.1f MiB", float64(p.RSSBytes)/(1<<20)))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, f := range s.Frontends {
		fmt.Fprintf(w, "\nfrontend %s: %d requests, %d connections now, %s, 4xx %d\n", ink.Bold(f.Name), f.Requests, f.Current,
			counted(ink, f.Status["5xx"], fmt.Sprintf("5xx %d", f.Status["5xx"])), f.Status["4xx"])
		if r := refusedBy(f.Errors); r != "" {
			fmt.Fprintf(w, "  %s %s\n", ink.Yellow("refused:"), r)
		}
		if t := f.TLS; t != nil {
			fmt.Fprintf(w, "  TLS: %d handshakes, %d of them resumed; failed:%s\n", t.Handshakes, t.Resumed, reasons(t.Failed))
		}
		if h := f.HTTP2; h != nil {
			fmt.Fprintf(w, "  HTTP/2: %d connections, %d of them now, %d streams; resets:%s; ended:%s\n", h.Connections, h.Current, h.Streams, reasons(h.Resets), reasons(h.GoAways))
		}
	}
	for _, p := range s.Pools {
		if err := printPool(w, p, s.At); err != nil {
			return err
		}
	}
	if len(s.Hooks) > 0 {
		if err := printHooks(w, s.Hooks, s.At); err != nil {
			return err
		}
	}
	if len(s.Templates) > 0 {
		return printTemplates(w, s.Templates, s.At)
	}
	return nil
}

func printTemplates(w io.Writer, templates []api.Template, now time.Time) error {
	fmt.Fprintln(w)
	t := newTable(w, "TEMPLATE FOR", "WRITTEN", "FAILED", "LAST", "LAST ERROR")
	for _, f := range templates {
		t.row(f.Target, fmt.Sprint(f.Changed), counted(t.ink, f.Failed, fmt.Sprint(f.Failed)), ago(now, f.Last), f.LastErr)
	}
	return t.flush()
}

// reasons lists what is not 0, the words in order.
func reasons(counts map[string]uint64) string {
	var b strings.Builder
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] > 0 {
			fmt.Fprintf(&b, " %s %d", reason, counts[reason])
		}
	}
	return cmp.Or(b.String(), " none")
}

func printHooks(w io.Writer, hooks []api.Hook, now time.Time) error {
	fmt.Fprintln(w)
	t := newTable(w, "HOOK", "RUNS", "FAILED", "TIMED OUT", "RUNNING", "WAITING", "DROPPED", "LAST", "LAST ERROR")
	for _, h := range hooks {
		t.row(h.Name, fmt.Sprint(h.Runs), counted(t.ink, h.Failed, fmt.Sprint(h.Failed)), counted(t.ink, h.TimedOut, fmt.Sprint(h.TimedOut)), fmt.Sprint(h.Running), fmt.Sprint(h.Waiting),
			counted(t.ink, h.Dropped, fmt.Sprint(h.Dropped)), ago(now, h.Last), h.LastErr)
	}
	return t.flush()
}

func printGroup(w io.Writer, g api.Group, now time.Time) {
	ink := paint.To(w)
	active := g.Active
	if active == "" {
		active = ink.Red("nobody")
	}
	fmt.Fprintf(w, "vip %s on %s: %s since %s (%s); active is %s, epoch %d, priority %d, fitness %d\n",
		ink.Bold(addrs(g.VIPs)), g.Interface, state(ink, g.State), ago(now, g.Since), g.Reason, active, g.Epoch, g.Priority, g.Fitness)
	who := g.Answers.IPv4
	if who == "none" {
		who = g.Answers.IPv6
	}
	note := ""
	if g.Answers.Note != "" {
		note = " (" + g.Answers.Note + ")"
	}
	if who == "hook" {
		fmt.Fprintln(w, "  moved by: hook")
	} else {
		fmt.Fprintf(w, "  answered for by: %s%s; %d answers, %d withheld\n", who, note, g.Answers.Given, g.Answers.Refused)
	}
	switch {
	case g.Lossy != "":
		fmt.Fprintf(w, "  handover: %s: %s\n", ink.Yellow("not lossless"), g.Lossy)
	case g.State == "draining":
		fmt.Fprintf(w, "  handover: %d connections have not ended yet\n", g.Left)
	}
	for _, t := range g.SelfTests {
		if t.Lossless {
			fmt.Fprintf(w, "  handover to %s: %s\n", t.Peer, ink.Green("lossless"))
		} else {
			fmt.Fprintf(w, "  handover to %s: %s: %s\n", t.Peer, ink.Yellow("not lossless"), t.Why)
		}
	}
	if t := g.Tickle; t.Told+t.Known > 0 || t.Sent+t.Unsent > 0 {
		fmt.Fprintf(w, "  clients: peers told of %d, %d known of peers; after crashes %d told to reconnect\n", t.Told, t.Known, t.Sent)
	}
	if g.Fenced {
		fmt.Fprintln(w, ink.Yellow("  fenced:")+" this node was paused or hears nobody, and says nothing about the VIP until it knows more")
	}
	if g.Degraded != "" {
		fmt.Fprintf(w, "  %s the active's adverts do not come; it answers by %s\n", ink.Yellow("path degraded:"), g.Degraded)
	}
	for _, p := range g.Peers {
		fmt.Fprintf(w, "  peer %s (%s): %s, heard %v ago, priority %d, fitness %d\n",
			p.Node, p.Addr, state(ink, p.State), p.HeardAgo.Round(time.Millisecond), p.Priority, p.Fitness)
	}
}

// refusedBy says how much of a frontend's its limits have refused; "" if nothing was.
func refusedBy(errors map[string]uint64) string {
	var said []string
	for _, r := range []struct{ reason, what string }{
		{"source_denied", "by network"}, {"source_rate", "by source_rate"}, {"source_maxconn", "by source_maxconn"}, {"max_body_bytes", "by max_body_bytes"},
	} {
		if n := errors[r.reason]; n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, r.what))
		}
	}
	if n := errors["maxconn"]; n > 0 {
		said = append(said, fmt.Sprintf("maxconn reached %d times", n))
	}
	return strings.Join(said, ", ")
}

func printPool(w io.Writer, p api.Pool, now time.Time) error {
	fmt.Fprintf(w, "\npool %s (%s)%s\n", paint.To(w).Bold(p.Name), p.Policy, paint.To(w).Yellow(exceptional(p)))
	t := newTable(w, "BACKEND", "ADDRESS", "STATE", "SINCE", "WEIGHT", "REQUESTS", "NOW", "ERRORS", "LAST CHECK")
	for _, b := range p.Backends {
		t.row(b.ID, b.Addr.String(), state(t.ink, b.State)+either(b.Backup, ", backup", ""), ago(now, b.Since), weight(b), fmt.Sprint(b.Requests),
			underWay(b), counted(t.ink, b.Errors, fmt.Sprint(b.Errors)), b.Reason)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, b := range p.Backends {
		if b.ByHand != nil {
			fmt.Fprintln(w, "  "+paint.To(w).Yellow(byHand(b, now)))
		}
	}
	return nil
}

// exceptional says what is out of the ordinary with a pool.
func exceptional(p api.Pool) string {
	var what []string
	switch {
	case p.Panic:
		what = append(what, "too few are up, so all are given requests")
	case p.OnBackup:
		what = append(what, "only backups are up")
	}
	if p.Waiting > 0 {
		what = append(what, fmt.Sprintf("%d requests wait for room", p.Waiting))
	}
	if n := p.Sticky; n != nil {
		what = append(what, fmt.Sprintf("sticky: %d kept, %d lost, %d new", n["kept"], n["lost"], n["new"]))
	}
	if len(what) == 0 {
		return ""
	}
	return ": " + strings.Join(what, "; ")
}

// underWay is how many requests a backend has, and may have.
func underWay(b api.Backend) string {
	if b.MaxConn > 0 {
		return fmt.Sprintf("%d of %d", b.Current, b.MaxConn)
	}
	return fmt.Sprint(b.Current)
}

// weight is a backend's weight, and what holds of it while it starts slowly.
func weight(b api.Backend) string {
	if b.Share > 0 && b.Share != b.Weight {
		return fmt.Sprintf("%d of %d", b.Share, b.Weight)
	}
	return fmt.Sprint(b.Weight)
}

// byHand says who set what of a backend.
func byHand(b api.Backend, now time.Time) string {
	var what []string
	if b.ByHand.State != "" {
		what = append(what, b.ByHand.State)
	}
	if b.ByHand.Weight != 0 {
		what = append(what, fmt.Sprintf("weight %d", b.ByHand.Weight))
	}
	return fmt.Sprintf("%s: %s by hand, set by %s on %s %s ago", b.ID, strings.Join(what, " and "), b.ByHand.Who, b.ByHand.Node, ago(now, b.ByHand.At))
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// capabilities reads the mask of /proc/PID/status as a person would.
func capabilities(mask string) string {
	if strings.Trim(mask, "0") == "" {
		return "none"
	}
	return mask
}

func addrs(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// ago rounds a time in the past to what a person wants to know.
func ago(now, then time.Time) string {
	d := now.Sub(then)
	switch {
	case then.IsZero():
		return "-"
	case d < time.Minute:
		return d.Round(time.Millisecond * 100).String()
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
