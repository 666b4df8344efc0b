package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// A site is the network, with one stack in it, and those who observe it.
type site struct {
	stack  *stack
	lab    *lab.Lab
	lbs    []*node
	apps   []*node
	client *lab.Host
	load   *client.Load
	log    *client.Log
	owners *owners.Watch
	cache  *cache

	ctx    context.Context // of everything that runs in the background
	cancel context.CancelFunc
	tasks  *errgroup.Group
}

// newSite makes the network and the observers, and starts every daemon. It must be closed.
func newSite(ctx context.Context, st *stack) (*site, error) {
	l, err := lab.New(lab.Config{})
	if err != nil {
		return nil, err
	}
	s := &site{stack: st, lab: l, log: client.NewLog(time.Now())}
	ctx, s.cancel = context.WithCancel(ctx)
	s.tasks, s.ctx = errgroup.WithContext(ctx)
	err = s.populate()
	if err == nil {
		s.observe()
		for _, n := range slices.Concat(s.apps, s.lbs) {
			err = errors.Join(err, n.start())
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *site) populate() (err error) {
	if s.client, err = s.lab.Host("client", clientAddr); err != nil {
		return err
	}
	for i, p := range balancers {
		n, err := s.host(p)
		if err != nil {
			return err
		}
		if err := s.stack.setUp(n); err != nil {
			return err
		}
		units, err := s.stack.balancer(i)
		if err != nil {
			return err
		}
		for _, u := range units {
			n.services = append(n.services, &service{unit: u, node: n})
		}
		s.lbs = append(s.lbs, n)
	}
	for _, p := range apps {
		n, err := s.host(p)
		if err != nil {
			return err
		}
		n.services = []*service{{unit: s.stack.app(p), node: n}}
		s.apps = append(s.apps, n)
	}
	var hosts []owners.Host
	for _, n := range slices.Concat(s.lbs, s.apps) {
		hosts = append(hosts, n.host)
	}
	s.owners, err = owners.New(owners.Config{VIP: vip, Sender: eyeAddr, Eye: s.client, Hosts: hosts, Now: s.log.Now})
	if err != nil {
		return err
	}
	s.cache = s.newCache()
	s.load, err = client.New(client.Config{Target: netip.AddrPortFrom(vip, sitePort), Enter: s.client.Do, Timeout: s.stack.patience, MaxOpen: s.stack.maxOpen()}, s.log)
	return err
}

func (s *site) host(p place) (*node, error) {
	addrs := []netip.Prefix{p.addr}
	if p.name == s.stack.vipOn {
		addrs = append(addrs, netip.PrefixFrom(vip, 32))
	}
	h, err := s.lab.Host(p.name, addrs...)
	if err != nil {
		return nil, err
	}
	return &node{place: p, site: s, host: h}, nil
}

// observe starts the load and the counting of owners.
func (s *site) observe() {
	s.tasks.Go(func() error { return s.owners.Run(s.ctx) })
	s.tasks.Go(func() error { return s.load.Run(s.ctx) })
	s.tasks.Go(func() error { return s.cache.run(s.ctx) })
	for _, n := range slices.Concat(s.lbs, s.apps) {
		n.watch()
	}
}

// close ends everything that runs and removes the network.
func (s *site) close() error {
	s.cancel()
	err := s.lab.Close()
	if terr := s.tasks.Wait(); terr != nil && !errors.Is(terr, context.Canceled) {
		return errors.Join(terr, err)
	}
	return err
}

// active is the one owner of late, nil when there is not exactly one.
func (s *site) active() *node {
	now := s.log.Now()
	name, ok := s.owners.Sole(owners.Window{From: now - sureFor, To: now})
	i := slices.IndexFunc(s.lbs, func(n *node) bool { return n.name == name })
	if !ok || i < 0 {
		return nil
	}
	return s.lbs[i]
}

// activeName is its name, empty when there is not exactly one.
func (s *site) activeName() string {
	if n := s.active(); n != nil {
		return n.name
	}
	return ""
}

// calm tells whether one host owns the VIP, and everything that ended lately was good, at
// no less than half the pace, and came from all apps.
func (s *site) calm() bool {
	return len(s.log.Calm(calmFor)) == len(s.apps) && s.active() != nil
}

// wait polls until cond holds and atLeast has passed; false: it gave up after atMost.
func (s *site) wait(ctx context.Context, atLeast, atMost time.Duration, cond func() bool) (bool, error) {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for begun := s.log.Now(); ; {
		passed := s.log.Now() - begun
		met := cond()
		if passed >= atLeast && (met || passed >= atMost) {
			return met, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-s.ctx.Done():
			return false, fmt.Errorf("the observers ended: %w", context.Cause(s.ctx))
		case <-poll.C:
		}
	}
}

// serve waits until the site serves calmly, through each of lbs, and has done so for the time
// of warming.
func (s *site) serve(ctx context.Context, warm time.Duration, lbs ...*node) error {
	calm, err := s.wait(ctx, 0, startMax, s.calm)
	for _, n := range lbs {
		if calm && err == nil {
			calm, err = s.wait(ctx, 0, startMax, func() bool { return s.carries(n) })
		}
	}
	if calm && err == nil {
		_, err = s.wait(ctx, warm, warm, s.calm)
	}
	if calm && err == nil {
		calm, err = s.wait(ctx, 0, startMax, s.calm)
	}
	if err == nil && !calm {
		err = fmt.Errorf("the site did not serve calmly within %v; the one active balancer is %q", startMax, s.activeName())
	}
	return err
}

// carries tells whether requests to a balancer's own address reach every app: so a backup
// knows them, too.
func (s *site) carries(n *node) bool {
	from := map[string]bool{}
	for range 2 * len(s.apps) {
		from[s.ask(n)] = true
	}
	return len(from) == len(s.apps) && !from[""]
}

// ask sends a request to a balancer's own address, and returns who answered; empty: nobody.
func (s *site) ask(n *node) string {
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	c, err := s.client.Dial(ctx, "tcp", netip.MustParseAddrPort(n.at(sitePort)))
	if err != nil {
		return ""
	}
	defer c.Close()
	return exchange(c)
}

func exchange(c net.Conn) string {
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return ""
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+vip.String()+"/", nil)
	if err != nil {
		return ""
	}
	req.Close = true
	if err := req.Write(c); err != nil {
		return ""
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return ""
	}
	resp.Body.Close()
	return resp.Header.Get("X-Served-By")
}
