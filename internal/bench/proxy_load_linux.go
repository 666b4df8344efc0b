package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A loader is the generator: one goroutine for each connection, on one
// processor.
type loader struct {
	scenario
	addr  string
	pid   int           // of the proxy, or of the parent of its processes
	warm  time.Duration // before the measurement
	time  time.Duration
	stop  atomic.Bool
	tasks sync.WaitGroup

	done, failed atomic.Int64
	resumed      atomic.Int64
	sessions     tls.ClientSessionCache // nil: none is resumed

	mu      sync.Mutex // protects what follows
	waits   []time.Duration
	lastErr error
	open    []net.Conn
}

// readyMax is how long a proxy may take until it answers.
const readyMax = 20 * time.Second

// run does one measurement.
func (l *loader) run() (ProxyTrial, error) {
	if err := l.ready(); err != nil {
		return ProxyTrial{}, err
	}
	switch {
	case l.mode == loadIdle:
		return l.idle()
	case l.h2 > 0:
		return l.h2load()
	case l.again:
		l.sessions = tls.NewLRUClientSessionCache(0)
	}
	for i := range l.conns {
		l.tasks.Go(func() { l.work(i) })
	}
	time.Sleep(l.warm)
	l.mu.Lock()
	l.waits = l.waits[:0]
	l.mu.Unlock()
	before, n, began := spentBy(l.pid), l.done.Load(), time.Now()
	time.Sleep(l.time)
	after, m, took := spentBy(l.pid), l.done.Load(), time.Since(began)
	l.stop.Store(true)
	l.tasks.Wait()
	t := ProxyTrial{Requests: int(m - n), Failed: int(l.failed.Load()), PerS: float64(m-n) / took.Seconds()}
	if t.Requests == 0 {
		return t, fmt.Errorf("nothing was answered: %w", l.lastErr)
	}
	if l.again && l.resumed.Load() < m/2 {
		return t, fmt.Errorf("%d of %d sessions were resumed", l.resumed.Load(), m)
	}
	one, all := before.cpuTo(after)
	per := float64(time.Microsecond) * float64(t.Requests)
	switch l.mode {
	case loadBig:
		per = float64(time.Second) * float64(t.Requests) * bigBody / 1e9
	case loadRate:
		t.Value = float64(quantile(l.waits, 0.99)) / float64(time.Microsecond)
		t.Whole = t.Value
		return t, nil
	}
	t.Value, t.Whole = float64(one)/per, float64(all)/per
	return t, nil
}

// ready waits until the proxy answers.
func (l *loader) ready() error {
	var err error
	for end := time.Now().Add(readyMax); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c, e := l.dial()
		if err = e; err != nil {
			continue
		}
		err = ask(c, request("/", true), make([]byte, 4096))
		c.Close()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("the proxy does not answer: %w", err)
}

// dial makes a connection that cannot outlive the measurement by much.
func (l *loader) dial() (net.Conn, error) {
	c, err := net.Dial("tcp", l.addr)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(readyMax + l.warm + l.time)); err != nil || !l.tls {
		return c, err
	}
	t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: "bench.example", MinVersion: tls.VersionTLS13, ClientSessionCache: l.sessions})
	if err := t.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	if t.ConnectionState().DidResume {
		l.resumed.Add(1)
	}
	return t, nil
}

// request is what is sent: what a small client sends.
func request(path string, closes bool) []byte {
	tail := "\r\n\r\n"
	if closes {
		tail = "\r\nConnection: close\r\n\r\n"
	}
	return []byte("GET " + path + " HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\nAccept: */*" + tail)
}

// work asks until it is told to stop.
func (l *loader) work(i int) {
	path := "/"
	size := 16 << 10
	if l.mode == loadBig {
		path, size = "/big", 256<<10
	}
	text, buf := request(path, l.mode == loadClose), make([]byte, size)
	var c net.Conn
	gap := time.Duration(0)
	if l.rate > 0 {
		gap = time.Second * time.Duration(l.conns) / time.Duration(l.rate)
	}
	due := time.Now().Add(gap * time.Duration(i) / time.Duration(l.conns))
	for !l.stop.Load() {
		began := time.Now()
		if gap > 0 {
			time.Sleep(time.Until(due))
			began, due = due, due.Add(gap) // a late one waits from when it was due
		}
		if c == nil {
			var err error
			if c, err = l.dial(); err != nil {
				l.fail(err)
				continue
			}
		}
		err := ask(c, text, buf)
		if err == nil && l.mode == loadClose {
			_, _ = c.Read(buf) // the proxy closes first, and has the TIME_WAIT
		}
		if err != nil {
			l.fail(err)
		} else {
			l.done.Add(1)
		}
		if gap > 0 && err == nil {
			l.mu.Lock()
			l.waits = append(l.waits, time.Since(began))
			l.mu.Unlock()
		}
		if err != nil || l.mode == loadClose {
			c.Close()
			c = nil
		}
	}
	if c != nil {
		c.Close()
	}
}

func (l *loader) fail(err error) {
	l.failed.Add(1)
	l.mu.Lock()
	l.lastErr = err
	l.mu.Unlock()
	time.Sleep(time.Millisecond)
}

var (
	headEnd    = []byte("\r\n\r\n")
	lengthName = []byte("ontent-")
	okLine     = []byte("HTTP/1.1 200 ")
)

// ask sends a request and reads its answer to the end.
func ask(c net.Conn, text, buf []byte) error {
	if _, err := c.Write(text); err != nil {
		return err
	}
	n := 0
	for {
		k, err := c.Read(buf[n:])
		if err != nil {
			return err
		}
		n += k
		head, body, found := bytes.Cut(buf[:n], headEnd)
		switch {
		case !found && n == len(buf):
			return errors.New("the answer's head is long")
		case !found:
			continue
		case !bytes.HasPrefix(head, okLine):
			return fmt.Errorf("answered %q", head[:min(len(head), 40)])
		}
		length, err := lengthOf(head)
		if err != nil {
			return err
		}
		for left := length - len(body); left > 0; left -= k {
			if k, err = c.Read(buf[:min(left, len(buf))]); err != nil {
				return err
			}
		}
		return nil
	}
}

// lengthOf finds Content-Length, in whatever case.
func lengthOf(head []byte) (int, error) {
	for rest := head; ; {
		i := bytes.Index(rest, lengthName)
		if i < 0 {
			return 0, errors.New("the answer has no length")
		}
		rest = rest[i+len(lengthName):]
		if value, found := bytes.CutPrefix(rest[1:], []byte("ength: ")); found {
			digits, _, _ := bytes.Cut(value, []byte("\r"))
			return strconv.Atoi(string(digits))
		}
	}
}

// idle opens all connections, asks once on each, and compares the proxy's
// memory before and after.
func (l *loader) idle() (ProxyTrial, error) {
	for range 200 { // what is made once is no connection's
		c, err := l.dial()
		if err != nil {
			return ProxyTrial{}, err
		}
		err = ask(c, request("/", true), make([]byte, 4096))
		c.Close()
		if err != nil {
			return ProxyTrial{}, err
		}
	}
	before := spentBy(l.pid)
	var next atomic.Int64
	for range 64 {
		l.tasks.Go(func() {
			buf := make([]byte, 4096)
			for int(next.Add(1)) <= l.conns && !l.stop.Load() {
				c, err := l.dial()
				if err == nil {
					l.mu.Lock()
					l.open = append(l.open, c)
					l.mu.Unlock()
					err = ask(c, request("/", false), buf)
				}
				if err != nil {
					l.fail(err)
					l.stop.Store(true)
				}
			}
		})
	}
	l.tasks.Wait()
	time.Sleep(l.warm)
	one, all := before.memoryTo(spentBy(l.pid))
	for _, c := range l.open {
		c.Close()
	}
	t := ProxyTrial{Requests: len(l.open), Failed: int(l.failed.Load()), Value: one, Whole: all}
	if t.Failed > 0 {
		return t, fmt.Errorf("after %d connections: %w", len(l.open), l.lastErr)
	}
	return t, nil
}

// quantile is the nearest rank: the smallest that q of all do not exceed.
func quantile(set []time.Duration, q float64) time.Duration {
	if len(set) == 0 {
		return 0
	}
	slices.Sort(set)
	return set[min(int(q*float64(len(set))), len(set)-1)]
}
