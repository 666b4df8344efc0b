package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

// interruptions is how often each failure meets a handover in one test.
const interruptions = 4

// noneMax bounds how long nobody may own the VIP. A takeover takes 0.1 s, a keeper's or a
// proxy's new start more, and many tests share a machine that may stand still for seconds.
const noneMax = 10 * time.Second

// briefDrain: connections that a takeover without forwarding cut off end only at the drain's
// deadline, since no FIN of theirs reaches the node that has them.
const briefDrain = `
[[vip]]
address = "192.168.42.42"
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
[proxy]
drain_time = "3s"
`

// A failure strikes while a hands over to b.
type failure struct {
	name   string
	strike func(s *site, a, b string) (undo func())
}

var failures = []failure{
	{"keeper of the old", func(s *site, a, _ string) func() { return s.killKeeperFor(a) }},
	{"keeper of the new", func(s *site, _, b string) func() { return s.killKeeperFor(b) }},
	{"proxy of the old", func(s *site, a, _ string) func() { s.kill(s.process(a, "proxy")); return func() {} }},
	{"proxy of the new", func(s *site, _, b string) func() { s.kill(s.process(b, "proxy")); return func() {} }},
	{"path between them", func(s *site, a, b string) func() {
		s.must(s.hosts[a].CutLink(s.hosts[b]))
		return func() { s.must(s.hosts[a].HealLink(s.hosts[b])) }
	}},
	{"all of the old stands still", func(s *site, a, _ string) func() {
		s.signalAll(a, syscall.SIGSTOP)
		return func() { s.signalAll(a, syscall.SIGCONT) }
	}},
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// killKeeperFor kills a keeper; undone, it is started again.
func (s *site) killKeeperFor(lb string) (undo func()) {
	s.t.Helper()
	s.kill(s.process(lb, "keeper"))
	_ = s.ended(lb) // by SIGKILL
	return func() { s.startLB(lb) }
}

// Whatever fails while the VIP is handed over, and whenever: there are never two owners, soon
// there is one again, and nothing is left behind.
func TestAHandoverIsInterruptedAtAnyMoment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for i, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			s := newSite(t)
			s.conf = briefDrain
			active := s.pair()
			for range interruptions {
				active = s.interrupted(f, active, time.Duration(random.Int64N(int64(120*time.Millisecond))))
			}
		})
	}
}

// interrupted orders a handover, lets f strike after a moment, undoes it, and returns who is
// active when all is well again.
func (s *site) interrupted(f failure, a string, moment time.Duration) (active string) {
	s.t.Helper()
	b := other(a)
	conns := s.keepAlives(5)
	defer func() {
		for _, k := range conns {
			k.conn.Close()
		}
	}()
	began := time.Now()
	said := make(chan string, 1)
	go func() {
		out, err := s.tandem(a, "handover")
		said <- fmt.Sprint(strings.TrimSpace(out), " ", err)
	}()
	time.Sleep(moment) // which moment it is does not matter
	undo := f.strike(s, a, b)
	time.Sleep(700 * time.Millisecond) // longer than every step of a handover waits
	undo()
	s.t.Logf("%v after the order to %s; the operator was told: %s", moment, a, <-said)
	s.untilServedBy("web1", "web2")
	for _, k := range conns {
		k.conn.Close() // so that a drain need not wait for its deadline
	}
	active = s.untilSettled()
	w := owners.Window{From: began.Sub(s.eye.start), To: time.Since(s.eye.start)}
	r := s.eye.watch.Report(w)
	if r.Max > 1 || r.None > noneMax {
		s.t.Errorf("%v after the order: %+v; want one owner, and none for at most %v", moment, r, noneMax)
	}
	for _, lb := range balancers {
		s.untilClean(lb)
	}
	return active
}

// untilSettled waits until one node is active and the other a fit backup.
func (s *site) untilSettled() (active string) {
	s.t.Helper()
	s.until("one node is active, the other its fit backup", func() (bool, string) {
		one, two := s.states("lb1"), s.states("lb2")
		active = map[string]string{"active backup": "lb1", "backup active": "lb2"}[one+" "+two]
		return active != "" && s.owner() == active, one + " " + two
	})
	s.untilPeerFit(other(active))
	return active
}

// untilClean waits until a balancer's host has no forward table, the VIP only if it is active,
// and one process of each kind.
func (s *site) untilClean(lb string) {
	s.t.Helper()
	s.until("nothing is left behind in "+lb, func() (bool, string) {
		tables := s.askNft(lb, "list", "tables")
		if strings.Contains(tables, "tandem_fwd_") {
			return false, tables
		}
		addrs, err := s.hosts[lb].Addrs()
		if err != nil {
			return false, err.Error()
		}
		held := false
		for _, a := range addrs {
			held = held || a.Addr() == vip
		}
		if active := strings.HasPrefix(s.states(lb), "active"); held != active {
			return false, fmt.Sprintf("active: %v, and the addresses are %v", active, addrs)
		}
		kinds := s.kindsOf(lb)
		return slices.Equal(kinds, []string{"control", "lb", "proxy"}), fmt.Sprint(kinds)
	})
}

// askNft asks a host's kernel for its tables.
func (s *site) askNft(lb string, args ...string) string {
	s.t.Helper()
	var out bytes.Buffer
	p, err := s.hosts[lb].Start(lab.Command{Path: "/usr/sbin/nft", Args: args, Stdout: &out, Stderr: &out})
	if err != nil {
		s.t.Skipf("nft is not here: %v", err)
	}
	if err := p.Wait(); err != nil {
		s.t.Fatalf("nft %v: %v: %s", args, err, &out)
	}
	return out.String()
}
