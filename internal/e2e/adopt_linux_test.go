package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killKeeper kills a balancer's keeper alone, and returns its proxy, which lives on.
func (s *site) killKeeper(lb string) (proxy int) {
	s.t.Helper()
	proxy = s.process(lb, "proxy")
	s.kill(s.process(lb, "keeper"))
	if err := s.ended(lb); err == nil {
		s.t.Fatal("the killed keeper ended well")
	}
	return proxy
}

func (s *site) untilProxyIs(lb string, pid int, doing string) {
	s.t.Helper()
	inside := s.pidInside(pid)
	s.until(fmt.Sprintf("%s has its proxy %d %s", lb, inside, doing), func() (bool, string) {
		p := s.proxies(lb)
		return slices.Contains(p[doing], inside), fmt.Sprint(p)
	})
}

// With nobody to take the VIP, a keeper's death is a pause in which no new client finds the
// way; who is connected stays so, and is answered (E11).
func TestANewKeeperAdoptsTheProxyAndItsConnections(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	c := s.company()
	c.keep(5, "/", 20*time.Millisecond)
	c.keep(5, "/slow?ms=3000", 0)
	c.underWay()
	proxy := s.killKeeper("lb1")
	s.until("nobody owns the VIP", func() (bool, string) { return s.owner() == "", s.owner() })
	s.startLB("lb1")
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1", "web2")
	s.untilProxyIs("lb1", proxy, "serving")
	c.end()
	if c.moved != 0 {
		t.Errorf("%d connections were ended; want that they go on", c.moved)
	}
	// What it is told reaches it: a new app is served, and it stops in order.
	s.startApp("web3")
	s.untilServedBy("web1", "web2", "web3")
	s.untilProxyIs("lb1", proxy, "serving")
}

func TestAProxyIsAdoptedAgainAndAgainAndThenReplaced(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	c := s.company()
	c.keep(5, "/", 20*time.Millisecond)
	c.underWay()
	proxy := s.process("lb1", "proxy")
	for range 3 {
		s.kill(s.process("lb1", "keeper"))
		s.ended("lb1")
		s.startLB("lb1")
		s.untilOwnedBy("lb1")
		s.untilProxyIs("lb1", proxy, "serving")
		s.untilServedBy("web1")
	}
	if out, err := s.tandem("lb1", "reload", "--proxy"); err != nil {
		t.Fatalf("reload --proxy: %q, %v", out, err)
	}
	s.until("the adopted proxy has ended", func() (bool, string) { return len(s.args(proxy)) == 0, "it runs" })
	s.untilServedBy("web1")
	c.end()
}

// A configuration that does not fit: the new keeper keeps the sockets and the connections,
// and replaces the process.
func TestAnAdoptedProxyOfAnotherConfigurationIsReplaced(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	c := s.company()
	c.keep(5, "/", 20*time.Millisecond)
	c.keep(5, "/slow?ms=3000", 0)
	c.underWay()
	proxy := s.killKeeper("lb1")
	s.extra = []string{"--check", "/healthz"}
	s.startLB("lb1")
	s.untilOwnedBy("lb1")
	adopted := s.pidInside(proxy)
	s.until("another proxy serves", func() (bool, string) {
		p := s.proxies("lb1")
		return len(p["serving"]) == 1 && p["serving"][0] != adopted, fmt.Sprint(p)
	})
	s.until("the adopted proxy has ended", func() (bool, string) { return len(s.args(proxy)) == 0, "it runs" })
	s.untilServedBy("web1", "web2")
	c.end()
}

// Nobody waits for a frozen proxy, and it does not swallow connections.
func TestAFrozenProxyIsNotAdopted(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	proxy := s.killKeeper("lb1")
	// Not before: the kernel ends a stopped process whose parent dies (SIGHUP).
	if err := syscall.Kill(proxy, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.startLB("lb1")
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1")
	if len(s.args(proxy)) != 0 {
		t.Error("the frozen proxy is still there")
	}
}

// holds says whether a host has the VIP on its interface.
func (s *site) holds(lb string) bool {
	s.t.Helper()
	addrs, err := s.hosts[lb].Addrs()
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.ContainsFunc(addrs, func(a netip.Prefix) bool { return a.Addr() == vip })
}

// With a peer the VIP is the peer's by then, and nobody else owns it at any moment. What an
// earlier keeper left goes when the proxy has no connection.
func TestAnAdoptedVIPIsReleasedWhenThePeerIsActive(t *testing.T) {
	s, active := newPair(t)
	killed := time.Now()
	proxy := s.killKeeper(active)
	s.untilOwnedBy(other(active))
	s.startLB(active)
	s.until("the adopted address was released", func() (bool, string) { return !s.holds(active), "it is there" })
	s.untilProxyIs(active, proxy, "serving")
	s.stays(other(active), time.Second)
	if most := s.mostOwners(killed); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
	// It is a full balancer again.
	s.power(other(active), false)
	s.untilOwnedBy(active)
	s.untilServedBy("web1", "web2")
}

// While it has one, it drains, mute, with the address; and should the VIP come back before
// the drain's deadline, the connection goes on. Its client is one that the peer cannot tell of
// the active's death: the others find out that it is gone (TestClientsOfALostBalancerDoNotHang).
func TestAnAdoptedProxyDrainsMuteWhileThePeerIsActive(t *testing.T) {
	s, active := newPair(t)
	if err := s.hosts[other(active)].Drop(s.hosts["web3"]); err != nil {
		t.Fatal(err)
	}
	k, err := s.dialFrom(s.hosts["web3"])
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if _, err := k.get("/"); err != nil {
		t.Fatal(err)
	}
	s.untilKnown(other(active), 1)
	killed := time.Now()
	proxy := s.killKeeper(active)
	s.untilOwnedBy(other(active))
	s.startLB(active)
	s.untilProxyIs(active, proxy, "serving")
	s.until("the proxy drains", func() (bool, string) {
		log := s.logs[active].tail()
		return strings.Contains(log, "connections_left=1"), "it does not say so"
	})
	s.stays(other(active), time.Second)
	if !s.holds(active) {
		t.Error("the address went, and with it the connection")
	}
	if most := s.mostOwners(killed); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
	s.power(other(active), false)
	s.untilOwnedBy(active)
	if last, err := k.get("/"); err != nil || last {
		t.Errorf("on the connection from before: %v, ended %v; want that it goes on", err, last)
	}
	s.untilServedBy("web1", "web2")
}
