package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// eye asks for the VIP's owner, all the time, from the client's host: an owner is who has
// the address, by its kernel, and answers for it on the wire.
type eye struct {
	watch *owners.Watch
	start time.Time
	stop  context.CancelFunc
	ends  map[string]context.CancelFunc // of the reading of each host's address news
	done  []chan error
}

var balancers = []string{"lb1", "lb2"}

// look begins to watch.
func (s *site) look() {
	s.t.Helper()
	e := &eye{start: time.Now(), ends: map[string]context.CancelFunc{}}
	var hosts []owners.Host
	for _, lb := range balancers {
		hosts = append(hosts, s.hosts[lb])
	}
	var err error
	e.watch, err = owners.New(owners.Config{
		VIP: vip, Sender: netip.MustParseAddr("192.168.42.250"), Eye: s.client, Hosts: hosts,
		Now: func() time.Duration { return time.Since(e.start) },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.begin(func() error { return e.watch.Run(ctx) })
	for _, lb := range balancers {
		e.follow(ctx, s, lb)
	}
	s.eye = e
}

func (e *eye) begin(run func() error) {
	done := make(chan error, 1)
	e.done = append(e.done, done)
	go func() { done <- run() }()
}

// follow reads a host's addresses from its kernel, until its power goes or ctx ends.
func (e *eye) follow(ctx context.Context, s *site, lb string) {
	ctx, cancel := context.WithCancel(ctx)
	e.ends[lb] = cancel
	e.begin(func() error { return e.watch.Follow(ctx, s.hosts[lb]) })
}

// close ends the watching; it is called before the lab is taken down.
func (e *eye) close() {
	e.stop()
	for _, end := range e.ends {
		end()
	}
	for _, done := range e.done {
		<-done // of a host whose power went, an error
	}
}

// owner is the one host that owned the VIP over the last 100 ms, "" when there was not
// exactly one.
func (s *site) owner() string {
	now := time.Since(s.eye.start)
	host, ok := s.eye.watch.Sole(owners.Window{From: now - 100*time.Millisecond, To: now})
	if !ok {
		return ""
	}
	return host
}

// untilOwnedBy waits until exactly this host owns the VIP; "" means any one host.
func (s *site) untilOwnedBy(host string) string {
	s.t.Helper()
	var owner string
	s.until("one balancer "+host+" owns the VIP", func() (bool, string) {
		owner = s.owner()
		return owner != "" && (host == "" || owner == host), fmt.Sprintf("%q", owner)
	})
	return owner
}

// mostOwners is the greatest number of owners at once since then.
func (s *site) mostOwners(since time.Time) int {
	return s.eye.watch.Report(owners.Window{From: since.Sub(s.eye.start), To: time.Since(s.eye.start)}).Max
}
