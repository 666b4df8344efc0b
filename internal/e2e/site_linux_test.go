package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/client"
)

var (
	vip     = netip.MustParseAddr("192.168.42.42")
	subnet  = "192.168.42.%d/24"
	vip6    = netip.MustParseAddr("fd42::42")
	subnet6 = "fd42::%x/64"
	numbers = map[string]int{"lb1": 11, "lb2": 12, "web1": 21, "web2": 22, "web3": 23, "client": 100}
)

// patience bounds every wait. It is long because the machine may be busy, and because a
// test that waits in vain has failed anyway.
const patience = 30 * time.Second

// site is a network of balancers, apps and a client, all powered on, with nothing running.
type site struct {
	t      *testing.T
	lab    *lab.Lab
	hosts  map[string]*lab.Host
	procs  map[string]*lab.Process
	logs   map[string]*logBuffer
	extra  []string // flags added to every tandem lb
	env    []string // of every tandem; nil: the test's own
	conf   string   // configuration of every tandem lb, in place of flags
	client *lab.Host
	eye    *eye
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteOn(t, lab.Config{})
}

func newSiteOn(t *testing.T, cfg lab.Config) *site {
	t.Helper()
	lab.Need(t)
	t.Parallel()
	l, err := lab.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, lab: l, hosts: map[string]*lab.Host{}, procs: map[string]*lab.Process{}, logs: map[string]*logBuffer{}}
	t.Cleanup(func() {
		if s.eye != nil {
			s.eye.close()
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for name, log := range s.logs {
				t.Logf("--- %s wrote:\n%s", name, log.tail())
			}
		}
	})
	for name, n := range numbers {
		h, err := l.Host(name, netip.MustParsePrefix(fmt.Sprintf(subnet, n)), netip.MustParsePrefix(fmt.Sprintf(subnet6, n)))
		if err != nil {
			t.Fatal(err)
		}
		s.hosts[name] = h
	}
	s.client = s.hosts["client"]
	s.look()
	return s
}

// start runs tandem with args in a host; its log is shown if the test fails.
func (s *site) start(host string, args ...string) *lab.Process {
	s.t.Helper()
	log := s.logs[host]
	if log == nil {
		log = new(logBuffer)
		s.logs[host] = log
	}
	p, err := s.hosts[host].Start(lab.Command{Path: os.Getenv(binaryVar), Args: args, Env: s.env, Stdout: log, Stderr: log})
	if err != nil {
		s.t.Fatalf("start %v in %s: %v", args, host, err)
	}
	s.procs[host] = p
	return p
}

func (s *site) startLB(hosts ...string) {
	s.t.Helper()
	for _, h := range hosts {
		if s.conf != "" {
			s.configured(h, s.conf)
			continue
		}
		args := []string{"lb", "--vip", vip.String(), "--join", "192.168.42.11,192.168.42.12", "--listen", ":80", "--pool", "web"}
		s.start(h, append(args, s.extra...)...)
	}
}

func (s *site) startApp(hosts ...string) {
	s.t.Helper()
	s.startAppJoining(vip.String(), hosts...)
}

func (s *site) startAppJoining(seeds string, hosts ...string) {
	s.t.Helper()
	s.startFor("web", seeds, hosts...)
}

// startFor starts the apps of a pool.
func (s *site) startFor(pool, seeds string, hosts ...string) {
	s.t.Helper()
	for _, h := range hosts {
		s.start(h, "agent", "--pool", pool, "--port", "3000", "--join", seeds,
			"--", os.Getenv(binaryVar), "webapp", "--listen", ":3000", "--name", h)
	}
}

// signal sends a signal to the process that was started last in a host.
func (s *site) signal(host string, sig syscall.Signal) {
	s.t.Helper()
	if err := s.procs[host].Signal(sig); err != nil {
		s.t.Fatalf("signal %v to the process in %s: %v", sig, host, err)
	}
}

// ended waits for the end of that process and returns how it ended.
func (s *site) ended(host string) error {
	s.t.Helper()
	select {
	case <-s.procs[host].Done():
		return s.procs[host].Wait()
	case <-time.After(patience):
		s.t.Fatalf("the process in %s did not end within %v", host, patience)
		return nil
	}
}

// until waits for a condition; describe says what is there instead.
func (s *site) until(what string, condition func() (ok bool, instead string)) {
	s.t.Helper()
	var instead string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var ok bool
		if ok, instead = condition(); ok {
			return
		}
	}
	s.t.Fatalf("waited %v in vain until %s; instead: %s", patience, what, instead)
}

// get asks the VIP for "/" on a new connection and returns which app answered.
func (s *site) get() (app string, err error) { return s.getFrom(vip) }

func (s *site) getFrom(vip netip.Addr) (app string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c, err := s.client.Dial(ctx, "tcp", netip.AddrPortFrom(vip, 80))
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", netip.AddrPortFrom(vip, 80)); err != nil {
		return "", err
	}
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(c); err != nil {
		return "", err
	}
	head, _, _ := strings.Cut(answer.String(), "\r\n\r\n")
	line, fields, _ := strings.Cut(head, "\r\n")
	if !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		return "", fmt.Errorf("answer %q", line)
	}
	for field := range strings.SplitSeq(fields, "\r\n") {
		if name, value, _ := strings.Cut(field, ": "); strings.EqualFold(name, "X-Served-By") {
			return value, nil
		}
	}
	return "", fmt.Errorf("the answer names no app: %q", head)
}

// untilServedBy waits until a run of answers comes from exactly these apps.
func (s *site) untilServedBy(apps ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("requests are answered by %v", apps), func() (bool, string) {
		from := map[string]bool{}
		for range 4 * len(apps) {
			app, err := s.get()
			if err != nil {
				return false, err.Error()
			}
			from[app] = true
		}
		for _, a := range apps {
			if !from[a] {
				return false, fmt.Sprint(from)
			}
		}
		return len(from) == len(apps), fmt.Sprint(from)
	})
}

// status is what 'tandem status --json' prints in a host, as far as the tests look at it.
type status struct {
	Authenticated bool
	Maint         time.Time
	Adverts       struct {
		Sent, Heard uint64
		Refused     map[string]uint64
	}
	Groups []struct {
		State, Active, Reason string
		Since                 time.Time
		Lossy                 string
		Answers               struct{ IPv4, IPv6 string }
		SelfTests             []struct {
			Lossless bool
			Why      string
		} `json:"self_tests"`
		Tickle  struct{ Told, Known, Sent int }
		Epoch   uint64
		Fitness uint8
		Peers   []struct {
			Node     string
			State    string
			Fitness  uint8
			HeardAgo time.Duration `json:"heard_ago"`
		}
	}
	Tracks    []struct{ Name, State, Reason string }
	Processes []struct {
		Name     string
		PID      int
		Doing    string
		Clients  int64
		Restarts int
		Ready    bool
		OwnUser  bool   `json:"own_user"`
		UserNote string `json:"user_note"`
		UID      int
		CapEff   string `json:"cap_eff"`
		NoNew    bool   `json:"no_new_privs"`
		RSS      int64  `json:"rss_bytes"`
	}
	Pools []struct {
		Name     string
		Backends []struct{ ID, State string }
	}
	Members []struct{ Name, State string }
}

func (s *site) status(host string) (status, error) {
	out, err := s.tandem(host, "status", "--json")
	if err != nil {
		return status{}, err
	}
	var st status
	return st, json.Unmarshal([]byte(out), &st)
}

// tandem runs one of the commands in a host and returns what it printed.
func (s *site) tandem(host string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	p, err := s.hosts[host].Start(lab.Command{Path: os.Getenv(binaryVar), Args: args, Stdout: &out, Stderr: &errs})
	if err != nil {
		return "", err
	}
	if err := p.Wait(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, errs.String())
	}
	return out.String(), nil
}

// The pace of a load, and how long each of its requests may take. All that can be due in that
// time may be open at once: a machine that stands still for a few seconds fails no request.
const (
	loadInterval = 2 * time.Millisecond
	loadTimeout  = 10 * time.Second
	loadOpen     = int(loadTimeout/loadInterval) + 1
)

// load sends a request on a new connection every loadInterval while f runs, waits until each of
// them has ended, and returns what became of those that were due meanwhile.
func (s *site) load(f func()) client.Tally {
	s.t.Helper()
	log := client.NewLog(time.Now())
	load, err := client.New(client.Config{
		Target: netip.AddrPortFrom(vip, 80), Enter: s.client.Do,
		Interval: loadInterval, Timeout: loadTimeout, MaxOpen: loadOpen,
	}, log)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- load.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}()
	s.until("the load runs", func() (bool, string) { n := len(log.Requests()); return n > 50, fmt.Sprint(n, " requests") })
	w := client.Window{From: log.Now()}
	f()
	w.To = log.Now()
	s.until("the load has settled", func() (bool, string) { return log.Settled() >= w.To, log.Settled().String() })
	tally := client.Count(log.Requests(), w)
	s.t.Logf("%d requests, %d failed %v, from %v, slowest %v", tally.Requests, tally.Failed, tally.Kinds, tally.From, tally.Slowest)
	return tally
}

// logBuffer keeps the last of what a process wrote.
type logBuffer struct {
	mu  sync.Mutex // protects buf
	buf []byte
}

const logMax = 64 << 10

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, b...)
	if over := len(l.buf) - logMax; over > 0 {
		l.buf = append(l.buf[:0], l.buf[over:]...)
	}
	return len(b), nil
}

func (l *logBuffer) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}

// power switches a host off, as a power cut does, or on again with nothing running.
func (s *site) power(host string, on bool) {
	s.t.Helper()
	if !on {
		s.eye.ends[host]()
		if err := s.hosts[host].PowerOff(); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	if err := s.hosts[host].PowerOn(); err != nil {
		s.t.Fatal(err)
	}
	s.eye.follow(context.Background(), s, host)
}

func other(lb string) string {
	if lb == "lb1" {
		return "lb2"
	}
	return "lb1"
}
