package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// conn is a client's connection to the VIP that is used for many requests.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func (s *site) dial() (*conn, error) { return s.dialFrom(s.client) }

func (s *site) dialFrom(h *lab.Host) (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := h.Dial(ctx, "tcp", netip.AddrPortFrom(vip, 80))
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

// get asks for path and reads the whole answer; last says that no other will follow on
// this connection.
func (c *conn) get(path string) (last bool, err error) {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, vip); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %s", resp.Status)
	}
	return resp.Close, nil
}

// company is a set of clients that hold on to their connections, as browsers do.
type company struct {
	s    *site
	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex // protects what follows
	requests int
	moved    int // connections that ended behind an answer that said so
	failed   []error
}

// keep has n clients ask for path again and again, with a pause after each answer. A
// connection whose last answer said so is followed by another; any other end is a failure.
func (c *company) keep(n int, path string, pause time.Duration) {
	for range n {
		c.wg.Go(func() {
			var k *conn
			for {
				select {
				case <-c.stop:
					if k != nil {
						k.Close()
					}
					return
				default:
				}
				last, err := false, error(nil)
				if k == nil {
					k, err = c.s.dial()
				}
				if err == nil {
					last, err = k.get(path)
				}
				c.note(last, err)
				if k != nil && (last || err != nil) {
					k.Close()
					k = nil
				}
				time.Sleep(pause)
			}
		})
	}
}

// underWay waits until the clients are at work.
func (c *company) underWay() {
	c.s.t.Helper()
	c.s.until("the clients are at work", func() (bool, string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.requests > 20, fmt.Sprint(c.requests, " requests")
	})
}

func (c *company) note(last bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if last {
		c.moved++
	}
	if err != nil && len(c.failed) < 10 {
		c.failed = append(c.failed, err)
	}
}

func (s *site) company() *company { return &company{s: s, stop: make(chan struct{})} }

// end lets each client finish what it is at, and fails the test if anything failed.
func (c *company) end() {
	c.s.t.Helper()
	close(c.stop)
	c.wg.Wait()
	c.s.t.Logf("%d requests on kept connections, %d connections were ended in order, failed: %v", c.requests, c.moved, c.failed)
	if err := errors.Join(c.failed...); err != nil {
		c.s.t.Errorf("requests on kept connections failed: %v", err)
	}
}

// proxies are the pids of a balancer's proxy processes by what they are doing.
func (s *site) proxies(lb string) map[string][]int {
	st, err := s.status(lb)
	if err != nil {
		return nil
	}
	out := map[string][]int{}
	for _, p := range st.Processes {
		if p.Name == "proxy" {
			out[p.Doing] = append(out[p.Doing], p.PID)
		}
	}
	return out
}

func (s *site) epoch(lb string) uint64 {
	s.t.Helper()
	st, err := s.status(lb)
	if err != nil || len(st.Groups) == 0 {
		s.t.Fatalf("status of %s: %v", lb, err)
	}
	return st.Groups[0].Epoch
}

// replacements is how often the proxy is replaced in one test.
const replacements = 20

func TestTheProxyIsReplacedUnderLoadAndNothingIsLost(t *testing.T) {
	s, active := newPair(t)
	epoch := s.epoch(active)
	c := s.company()
	c.keep(10, "/", 20*time.Millisecond)
	c.keep(20, "/slow?ms=3000", 0)
	c.underWay()
	first := s.process(active, "proxy")
	tally := s.load(func() {
		for range replacements {
			time.Sleep(100 * time.Millisecond) // so that each has connections of each kind
			if out, err := s.tandem(active, "reload", "--proxy"); err != nil {
				t.Fatalf("reload --proxy: %q, %v", out, err)
			}
		}
		s.until("the old proxies have ended", func() (bool, string) {
			p := s.proxies(active)
			return len(p["serving"]) == 1 && len(p["draining"]) == 0, fmt.Sprint(p)
		})
	})
	c.end()
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
	if c.moved < 10 {
		t.Errorf("%d kept connections were ended behind an answer, want each of 30 several times: nothing was replaced", c.moved)
	}
	if args := s.args(first); len(args) != 0 {
		t.Error("the first proxy still runs")
	}
	if now := s.epoch(active); now != epoch || s.untilOwnedBy("") != active {
		t.Errorf("the VIP moved: epoch %d, was %d", now, epoch)
	}
}

// slowCheck gives a new proxy some time in which it is not warm yet.
var slowCheck = []string{"--check", "/slow?ms=400"}

// beside waits for a second proxy process of lb1 and returns it.
func (s *site) beside(old int) (pid int) {
	s.t.Helper()
	s.until("there is a second proxy", func() (bool, string) {
		pid = s.another(old)
		return pid != 0, "there is none"
	})
	return pid
}

// A proxy that cannot do its work must not take the place of one that can.
func TestAReplacementThatDiesChangesNothing(t *testing.T) {
	s := newSite(t)
	s.extra = slowCheck
	s.startLB("lb1")
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	old := s.process("lb1", "proxy")
	c := s.company()
	c.keep(5, "/", 20*time.Millisecond)
	tally := s.load(func() {
		for range 5 {
			said := make(chan string, 1)
			go func() {
				out, err := s.tandem("lb1", "reload", "--proxy")
				said <- fmt.Sprint(out, err)
			}()
			s.kill(s.beside(old))
			if out := <-said; !strings.Contains(out, "the old one serves on") {
				t.Fatalf("the operator was told %q", out)
			}
		}
	})
	c.end()
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
}

// Whatever dies, and whenever: soon one proxy serves, and no other is left.
func TestADeathAtAnyMomentOfAReplacementLeavesOneProxy(t *testing.T) {
	for _, victim := range []string{"old", "new", "keeper"} {
		t.Run(victim, func(t *testing.T) {
			s := newSite(t)
			s.startLB("lb1")
			s.startApp("web1")
			s.untilServedBy("web1")
			proxy := s.process("lb1", "proxy")
			for moment := range 12 {
				said := make(chan string, 1)
				go func() {
					out, err := s.tandem("lb1", "reload", "--proxy")
					said <- fmt.Sprint(out, err)
				}()
				var next int
				s.until("the replacement runs", func() (bool, string) {
					next = s.another(proxy)
					return next != 0 || len(said) > 0, "it does not"
				})
				time.Sleep(time.Duration(moment) * 500 * time.Microsecond) // which moment it is does not matter
				switch {
				case victim == "old":
					syscall.Kill(proxy, syscall.SIGKILL)
				case victim == "new" && next != 0:
					syscall.Kill(next, syscall.SIGKILL)
				case victim == "keeper":
					s.kill(s.process("lb1", "keeper"))
					s.ended("lb1")
					s.startLB("lb1")
				}
				<-said
				s.untilServedBy("web1")
				proxy = s.onlyProxy("lb1")
			}
			s.untilOwnedBy("lb1")
		})
	}
}

// another returns the pid of a proxy of lb1 other than this one, 0 if there is none.
func (s *site) another(old int) int {
	for _, child := range s.childrenOf(s.procs["lb1"].Pid()) {
		if args := s.args(child); len(args) > 1 && args[1] == "proxy" && child != old {
			return child
		}
	}
	return 0
}

// onlyProxy waits until there is one proxy on a host's network, and returns it.
func (s *site) onlyProxy(lb string) (pid int) {
	s.t.Helper()
	s.until(lb+" has one proxy", func() (bool, string) {
		all := s.proxyProcesses(lb)
		if len(all) != 1 {
			return false, fmt.Sprint(all)
		}
		pid = all[0]
		st := s.proxies(lb)
		return len(st["serving"]) == 1 && len(st["draining"]) == 0 && len(st["warming up"]) == 0, fmt.Sprint(st)
	})
	return pid
}

// The one that serves dies while its successor warms up: the successor serves.
func TestAProxyThatDiesWhileItIsReplacedIsSucceeded(t *testing.T) {
	s := newSite(t)
	s.extra = slowCheck
	s.startLB("lb1")
	s.startApp("web1")
	s.untilServedBy("web1")
	for range 5 {
		old := s.process("lb1", "proxy")
		said := make(chan error, 1)
		go func() {
			_, err := s.tandem("lb1", "reload", "--proxy")
			said <- err
		}()
		s.beside(old)
		s.kill(old)
		if err := <-said; err != nil {
			t.Errorf("reload --proxy, whose old proxy died meanwhile: %v", err)
		}
		s.untilServedBy("web1")
		s.until("there is one proxy", func() (bool, string) {
			p := s.proxies("lb1")
			return len(p["serving"]) == 1 && len(p["draining"]) == 0 && len(p["warming up"]) == 0, fmt.Sprint(p)
		})
	}
	s.untilOwnedBy("lb1")
}
