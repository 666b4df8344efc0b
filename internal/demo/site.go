package demo

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/client"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// site is the whole network, and the two who observe it.
type site struct {
	exe      string // tandem's path, empty for this very program
	lab      *lab.Lab
	machines []*machine // balancers, then apps
	client   *lab.Host
	load     *client.Load
	log      *client.Log
	owners   *owners.Watch

	ctx    context.Context // of everything that runs in the background
	cancel context.CancelFunc
	tasks  *errgroup.Group
}

// build makes the network and the observers; nothing runs yet. The site must be closed.
func build(ctx context.Context, exe string) (*site, error) {
	l, err := lab.New(lab.Config{})
	if err != nil {
		return nil, err
	}
	s := &site{exe: exe, lab: l, log: client.NewLog(time.Now())}
	ctx, s.cancel = context.WithCancel(ctx)
	s.tasks, s.ctx = errgroup.WithContext(ctx)
	if err := s.populate(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *site) populate() (err error) {
	if s.client, err = s.lab.Host("client", clientAddr); err != nil {
		return err
	}
	for _, r := range slices.Concat(balancers, apps) {
		h, err := s.lab.Host(r.name, r.addr)
		if err != nil {
			return err
		}
		s.machines = append(s.machines, &machine{role: r, host: h, site: s})
	}
	s.owners, err = owners.New(owners.Config{
		VIP: vip, Sender: eyeAddr, Eye: s.client, Hosts: hostsOf(s.machines), Now: s.log.Now,
	})
	if err != nil {
		return err
	}
	s.load, err = client.New(client.Config{Target: netip.AddrPortFrom(vip, sitePort), Enter: s.client.Do}, s.log)
	return err
}

// observe starts the load and the counting of owners.
func (s *site) observe() {
	s.tasks.Go(func() error { return s.owners.Run(s.ctx) })
	s.tasks.Go(func() error { return s.load.Run(s.ctx) })
	for _, m := range s.machines {
		m.watch()
	}
}

// start runs every daemon.
func (s *site) start() error {
	for _, m := range s.machines {
		if err := m.start(); err != nil {
			return err
		}
	}
	return nil
}

// close ends everything that runs and removes the network.
func (s *site) close() error {
	s.cancel()
	err := s.lab.Close()
	if terr := s.tasks.Wait(); terr != nil {
		return terr
	}
	if err != nil {
		return fmt.Errorf("take the network down: %w", err)
	}
	return nil
}

// active is the one owner over the last 100 ms, empty when there is not exactly one.
func (s *site) active() string { return s.activeAt(s.log.Now()) }

func (s *site) activeAt(t time.Duration) string {
	host, ok := s.owners.Sole(owners.Window{From: t - 100*time.Millisecond, To: t})
	if !ok {
		return ""
	}
	return host
}

const (
	calmFor = 300 * time.Millisecond // so long nothing may fail before a site counts as calm
	openMax = 100 * time.Millisecond // so old may a request be that has no answer yet
)

// calm tells whether everything that ended lately was good, at no less than half
// the pace, and came from exactly these apps, and nothing hangs.
func (s *site) calm(names []string) bool {
	if s.log.Settled() < s.log.Now()-openMax {
		return false
	}
	from := s.log.Calm(calmFor)
	return len(from) == len(names) && !slices.ContainsFunc(names, func(n string) bool { return !from[n] })
}
