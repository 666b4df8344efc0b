package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/paint"
	"github.com/tandem-lb/tandem/lbcore/route"
)

func newRoute() *cobra.Command {
	var (
		look             lookFlags
		method, frontend string
		from             string
		headers          []string
		file             string
	)
	cmd := &cobra.Command{
		Use:     "route URL",
		Short:   "tell which rule a request meets, and why",
		GroupID: groupLook,
		Args:    cobra.ExactArgs(1),
		Long: `Tell which rule of a frontend a request for URL meets, what becomes of it, and why the
rules before do not fit. Nothing is sent. The rules are those in effect on the balancer of
this host, or those of the file that --config names, for which no balancer needs to run.
The frontend is the one that listens on the URL's port, or --frontend. --from says whose
request it is, for networks in allow, deny and source; what rates and numbers of
connections refuse depends on the moment, and is not told.`,
		Example: `  tandem route https://www.example.com/api/items
  tandem route http://www.example.com/ --method POST --header 'X-Beta: yes'
  tandem route http://www.example.com/admin --from 192.0.2.7
  tandem route --config /etc/tandem/tandem.toml --json https://www.example.com/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := parseAsked(args[0], method, headers)
			if err != nil {
				return err
			}
			if err := q.comesFrom(from); err != nil {
				return err
			}
			all, err := routesOf(cmd.Context(), file, look.socket)
			if err != nil {
				return err
			}
			f, err := q.frontend(all, frontend)
			if err != nil {
				return err
			}
			a, err := q.ask(f)
			if err != nil {
				return err
			}
			if look.json {
				return printJSON(cmd.OutOrStdout(), a)
			}
			return a.print(cmd.OutOrStdout())
		},
	}
	look.add(cmd)
	f := cmd.Flags()
	f.StringVar(&method, "method", "GET", "method of the request")
	f.StringArrayVar(&headers, "header", nil, `header of the request, "Name: value"; may be repeated`)
	f.StringVarP(&file, "config", "c", "", "take the rules from this file, without a balancer")
	f.StringVar(&from, "from", "", "address of the client (default one in no network that the configuration names)")
	f.StringVar(&frontend, "frontend", "", "name of the frontend (default the one on the URL's port)")
	return cmd
}

// routesOf reads the rules of a file, or asks the balancer for those in effect.
func routesOf(ctx context.Context, file, socket string) ([]api.Routes, error) {
	if file == "" {
		return api.NewClient(socket).Routes(ctx)
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	var all []api.Routes
	for _, f := range cfg.Frontends {
		if f.Mode != "tcp" {
			listen := ":" + strconv.Itoa(int(f.Listen.Port()))
			if f.Listen.Addr().IsValid() {
				listen = f.Listen.String()
			}
			all = append(all, api.Routes{Frontend: f.Name, Listen: listen, TLS: f.TLS != nil, Pool: f.Pool, HTTPS: f.RedirectHTTPS, Rules: f.Rules, Allow: f.Sources.Allow, Deny: f.Sources.Deny})
		}
	}
	return all, nil
}

// askedFor is a request that nobody sends.
type askedFor struct {
	url    string
	tls    bool
	port   string
	r      route.Request
	fields askedFields
}

type askedFields [][2]string

// NumFields implements route.Fields.
func (f askedFields) NumFields() int { return len(f) }

// Field implements route.Fields.
func (f askedFields) Field(i int) (name, value []byte) { return []byte(f[i][0]), []byte(f[i][1]) }

// parseAsked takes a URL apart and leaves its path as it stands there.
func parseAsked(text, method string, headers []string) (*askedFor, error) {
	q := &askedFor{url: text}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "http", text
	}
	if q.tls = scheme == "https"; scheme != "http" && !q.tls {
		return nil, usage("%q: want a URL of http or https", text)
	}
	if _, err := url.Parse(scheme + "://" + rest); err != nil {
		return nil, usage("%q is no URL: %v", text, err)
	}
	rest, _, _ = strings.Cut(rest, "#")
	host, target := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, target = rest[:i], rest[i:]
	}
	path, query, asks := strings.Cut(target, "?")
	if asks {
		query = "?" + query
	}
	q.port = cmp.Or(portOf(host), map[bool]string{true: "443", false: "80"}[q.tls])
	for _, h := range headers {
		name, value, found := strings.Cut(h, ":")
		if !found || name == "" {
			return nil, usage(`header %q: want "Name: value"`, h)
		}
		if value = strings.TrimSpace(value); strings.EqualFold(name, "host") {
			host = value
		}
		q.fields = append(q.fields, [2]string{name, value})
	}
	q.r = route.Request{Method: []byte(method), Host: []byte(host), Path: []byte(cmp.Or(path, "/")), Query: []byte(query), Fields: q.fields}
	return q, nil
}

// comesFrom says whose request it is; "" is nobody's in particular.
func (q *askedFor) comesFrom(text string) error {
	if text == "" {
		return nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return usage("--from %q: want an IP address", text)
	}
	q.r.Source = a.Unmap()
	return nil
}

// refused says why a client is in no network that a frontend lets in; "" if it is let in, or
// nothing is known of it.
func (q *askedFor) refused(f api.Routes) string {
	a := q.r.Source
	if !a.IsValid() {
		return ""
	}
	how := "403"
	if f.TLS {
		how = "a reset, before the handshake"
	}
	if p, found := route.Holder(f.Deny, a); found {
		return fmt.Sprintf("%s is in %s, which deny names; it gets %s", a, p, how)
	}
	if _, found := route.Holder(f.Allow, a); !found && len(f.Allow) > 0 {
		return fmt.Sprintf("%s is in no network that allow names; it gets %s", a, how)
	}
	return ""
}

func portOf(host string) string {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return ""
	}
	return port
}

// frontend returns the one that is named, or that listens on the URL's port, or the only one.
func (q *askedFor) frontend(all []api.Routes, name string) (api.Routes, error) {
	var names []string
	for _, f := range all {
		if name == f.Frontend || name == "" && f.TLS == q.tls && portOf(f.Listen) == q.port {
			return f, nil
		}
		names = append(names, f.Frontend)
	}
	switch {
	case name != "":
		return api.Routes{}, fmt.Errorf("there is no frontend %q that speaks HTTP; there is %s", name, cmp.Or(strings.Join(names, ", "), "none"))
	case len(all) == 1:
		return all[0], nil
	}
	return api.Routes{}, fmt.Errorf("no frontend listens on port %s of that scheme; name one with --frontend: %s", q.port, cmp.Or(strings.Join(names, ", "), "there is none"))
}

// routed is what becomes of a request.
type routed struct {
	URL      string       `json:"url"`
	Method   string       `json:"method"`
	Frontend string       `json:"frontend"`
	Listen   string       `json:"listen"`
	Path     string       `json:"path"`           // as rules see it
	Rule     string       `json:"rule,omitempty"` // that it meets
	Steps    []routeStep  `json:"steps"`          // the rules that were looked at, in their order
	Outcome  string       `json:"outcome"`        // pool, redirect, answer or refused
	Pool     string       `json:"pool,omitempty"`
	Sends    string       `json:"sends,omitempty"` // path and query that the pool gets
	Location string       `json:"location,omitempty"`
	Status   int          `json:"status,omitempty"`
	Why      string       `json:"why,omitempty"` // it is refused
	Changes  *routeFields `json:"headers,omitempty"`
}

type routeStep struct {
	Rule string `json:"rule"`
	Fits bool   `json:"fits"`
	Why  string `json:"why,omitempty"` // not
}

type routeFields struct {
	SetRequest     [][2]string `json:"set_request_headers,omitempty"`
	AddRequest     [][2]string `json:"add_request_headers,omitempty"`
	RemoveRequest  []string    `json:"remove_request_headers,omitempty"`
	SetResponse    [][2]string `json:"set_response_headers,omitempty"`
	AddResponse    [][2]string `json:"add_response_headers,omitempty"`
	RemoveResponse []string    `json:"remove_response_headers,omitempty"`
}

// ask follows the request through the rules of a frontend.
func (q *askedFor) ask(f api.Routes) (*routed, error) {
	a := &routed{URL: q.url, Method: string(q.r.Method), Frontend: f.Frontend, Listen: f.Listen, Steps: []routeStep{}, Path: string(q.r.Path)}
	if why := q.refused(f); why != "" {
		a.Outcome, a.Status, a.Why = "refused", 403, why
		return a, nil
	}
	if f.HTTPS != 0 {
		a.Outcome, a.Status = "redirect", 301
		a.Location = "https://" + strings.TrimSuffix(string(q.r.Host), ":"+portOf(string(q.r.Host)))
		if f.HTTPS != 443 {
			a.Location += ":" + strconv.Itoa(f.HTTPS)
		}
		a.Location += string(q.r.Path) + string(q.r.Query)
		return a, nil
	}
	table, err := route.Compile(f.Rules)
	if err != nil {
		return nil, err
	}
	e := table.Explain(&q.r)
	a.Path = cmp.Or(e.Path, a.Path)
	for _, s := range e.Steps {
		a.Steps = append(a.Steps, routeStep(s))
	}
	var rule route.Rule
	if e.Winner >= 0 {
		rule = *table.Rule(e.Winner)
		a.Rule = rule.Name
	}
	if len(rule.SetRequest)+len(rule.AddRequest)+len(rule.RemoveRequest)+len(rule.SetResponse)+len(rule.AddResponse)+len(rule.RemoveResponse) > 0 {
		a.Changes = &routeFields{rule.SetRequest, rule.AddRequest, rule.RemoveRequest, rule.SetResponse, rule.AddResponse, rule.RemoveResponse}
	}
	switch a.Pool = cmp.Or(rule.Pool, f.Pool); {
	case e.Why != "":
		a.Outcome, a.Status, a.Why, a.Pool = "refused", 400, e.Why, ""
	case rule.Redirect != "":
		a.Outcome, a.Status, a.Pool, a.Location = "redirect", cmp.Or(rule.Status, 302), "", e.Location
	case rule.Status != 0:
		a.Outcome, a.Status, a.Pool = "answer", rule.Status, ""
	case a.Pool == "":
		a.Outcome, a.Status = "answer", 404
	default:
		a.Outcome, a.Sends = "pool", e.Sends+string(q.r.Query)
	}
	return a, nil
}

func (a *routed) print(w io.Writer) error {
	ink := paint.To(w)
	fmt.Fprintf(w, "%s, frontend %s\n", ink.Bold(a.Method+" "+a.URL), a.Frontend)
	for _, s := range a.Steps {
		if s.Fits {
			fmt.Fprintf(w, "  %s: %s\n", s.Rule, ink.Green("fits"))
		} else {
			fmt.Fprintf(w, "  %s: %s\n", s.Rule, s.Why)
		}
	}
	switch a.Outcome {
	case "refused":
		fmt.Fprintf(w, "%s with %d: %s\n", ink.Red("refused"), a.Status, a.Why)
	case "redirect":
		fmt.Fprintf(w, "redirected to %s (%d)\n", ink.Bold(a.Location), a.Status)
	case "answer":
		fmt.Fprintf(w, "answered with %s\n", ink.Bold(strconv.Itoa(a.Status)))
	default:
		fmt.Fprintf(w, "goes to pool %s as %s\n", ink.Bold(a.Pool), a.Sends)
	}
	if c := a.Changes; c != nil {
		printLines(w, "request", "set", c.SetRequest)
		printLines(w, "request", "added", c.AddRequest)
		printNames(w, "request", c.RemoveRequest)
		printLines(w, "answer", "set", c.SetResponse)
		printLines(w, "answer", "added", c.AddResponse)
		printNames(w, "answer", c.RemoveResponse)
	}
	return nil
}

func printLines(w io.Writer, of, what string, lines [][2]string) {
	for _, l := range lines {
		fmt.Fprintf(w, "  %s header %s: %s: %s\n", of, what, l[0], l[1])
	}
}

func printNames(w io.Writer, of string, names []string) {
	for _, n := range names {
		fmt.Fprintf(w, "  %s header removed: %s\n", of, n)
	}
}
