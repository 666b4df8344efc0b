package lbcore_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/lbcore"
	"github.com/tandem-lb/tandem/lbcore/route"
)

func inLog(format lbcore.LogFormat) bedOption {
	return func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.AccessLog.Format = format }
}

// logged starts the access log of a bed and returns how to read its lines.
func logged(t *testing.T, l *bed) (lines func(n int) []string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "access.log")
	f, err := os.Create(name)
	must(t, err)
	l.SetAccessLog(f)
	return func(n int) (all []string) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d lines", n), func() bool {
			b, err := os.ReadFile(name)
			must(t, err)
			all = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
			return len(b) > 0 && len(all) >= n
		})
		return all
	}
}

// Each way in which a request can end has its flags, status and reason.
func TestTheLogSaysHowARequestEnded(t *testing.T) {
	slow := make(chan bool)
	defer close(slow)
	dead, stop := stoppable(t, "dead")
	stop()
	l := newBed(t, nil, longChecks, oneLoop, inLog(lbcore.LogJSON), func(_ *lbcore.Config, f *lbcore.FrontendConfig, p *lbcore.PoolConfig) {
		p.Timeouts.Server = 300 * time.Millisecond
		p.Check.Checker = alwaysWell{}
		p.Retries = new(int)
		f.Timeouts.Header = 300 * time.Millisecond
		f.Rules = []route.Rule{
			{Name: "dead", Paths: []string{"/dead"}, Pool: "dead"},
			{Name: "none", Paths: []string{"/none"}, Pool: "none"},
			{Name: "moved", Paths: []string{"/moved"}, Redirect: "https://{host}{path}"},
		}
	})
	other, empty := l.pool, l.pool
	other.Name, empty.Name = "dead", "none"
	must(t, l.SetPools([]lbcore.PoolConfig{l.pool, other, empty}))
	must(t, l.Pool("dead").Set(one(dead)))
	must(t, l.Pool("web").Set(one(rawBackend(t, "s1", func(_ int, c *rawConn) {
		for {
			r, err := c.request()
			if err != nil {
				return
			}
			switch r.URL.Path {
			case "/slow":
				<-slow
			case "/bad":
				c.say("HTTP/9.9 huh\r\n\r\n")
			case "/cut":
				c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
				return
			default:
				c.say(okAnswer)
			}
		}
	}))))
	eventually(t, "up", func() bool { s := l.Snapshot(); return s.Pools[0].Up == 1 && s.Pools[2].Up == 1 })
	lines := logged(t, l)
	type line struct {
		Method, Target, Host, Rule, Pool, Backend, Flags, Reason, Client, Frontend string
		Status                                                                     int
		UserAgent                                                                  string  `json:"user_agent"`
		In                                                                         int     `json:"bytes_in"`
		Out                                                                        int     `json:"bytes_out"`
		Total                                                                      float64 `json:"total_ms"`
		Response                                                                   float64 `json:"response_ms"`
	}
	n := 0
	for _, tc := range []struct {
		request string
		status  int
		flags   string
		reason  string
		backend string
		leave   bool
	}{
		{"GET /ok?a=\"b HTTP/1.1\r\nHost: x.example\r\nUser-Agent: it\r\n\r\n", 200, "--", "", "s1", false},
		{"GET /moved HTTP/1.1\r\nHost: x\r\n\r\n", 302, "LR", "", "", false},
		{"GET /../ok HTTP/1.1\r\nHost: x\r\n\r\n", 400, "PR", "ambiguous_path", "", false},
		{"GET /dead HTTP/1.1\r\nHost: x\r\n\r\n", 502, "SC", "bad_gateway", "dead", false},
		{"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 503, "SC", "no_backend", "", false},
		{"GET /bad HTTP/1.1\r\nHost: x\r\n\r\n", 502, "PH", "bad_gateway", "s1", false},
		{"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", 504, "sH", "timeout", "s1", false},
		{"GET /cut HTTP/1.1\r\nHost: x\r\n\r\n", 200, "SD", "cut", "s1", false},
		{"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", 0, "CH", "aborted", "s1", true},
		{"GET / HTTP/1.1\r\n\r\n", 400, "PR", "host-missing", "", false},
		{"GET / HT", 408, "cR", "client_timeout", "", false},
	} {
		c := l.dial()
		c.say(tc.request)
		if tc.leave {
			eventually(t, "it is under way", func() bool { return l.Connections().InFlight == 1 })
			time.Sleep(20 * time.Millisecond) // for the request to be with the backend
			c.die()
		} else {
			_, _ = http.ReadResponse(c.r, nil)
			c.die()
		}
		n++
		var got line
		text := lines(n)[n-1]
		must(t, json.Unmarshal([]byte(text), &got))
		if got.Status != tc.status || got.Flags != tc.flags || got.Reason != tc.reason || got.Backend != tc.backend || !strings.HasPrefix(got.Client, "127.0.0.1:") || got.Client == "127.0.0.1:0" || got.Frontend != "http" {
			t.Errorf("%q: %s", tc.request, text)
		}
		switch {
		case n == 1 && (got.Method != "GET" || got.Target != `/ok?a="b` || got.Host != "x.example" || got.UserAgent != "it" || got.Pool != "web" || got.In != len(tc.request) || got.Out < len(okAnswer) || got.Rule != ""):
			t.Error(text)
		case n == 2 && (got.Rule != "moved" || got.Pool != ""):
			t.Error(text)
		case n == 7 && (got.Total < 290 || got.Response != 0):
			t.Error(text)
		case n == 10 && got.Method != "":
			t.Error(text)
		}
	}
	eventually(t, "counted", func() bool { a := l.Snapshot().AccessLog; return a.Lines == uint64(n) && a.Lost == 0 })
}

func TestTheLogInHAProxysForm(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), longChecks, oneLoop, inLog(lbcore.LogHAProxy))
	lines := logged(t, l)
	c := l.dial()
	c.say(get + get)
	c.answer(t, "GET")
	c.answer(t, "GET")
	want := regexp.MustCompile(`^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ tandem\[\d+\]: 127\.0\.0\.1:\d+ \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] http web/s1 \d+/\d+/\d+/\d+/\d+ 200 \d+ - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1\.1"$`)
	for _, line := range lines(2) {
		if !want.MatchString(line) {
			t.Errorf("%q", line)
		}
	}
}

// Each stream of HTTP/2 has a line, and each TCP connection.
func TestTheLogOfHTTP2AndOfTCP(t *testing.T) {
	t.Run("http2", func(t *testing.T) {
		l := newBed(t, one(httpBackend(t, "s1", hello("s1"))), longChecks, withHTTP2, inLog(lbcore.LogJSON))
		lines, c := logged(t, l), h2Client(t)
		get2(t, c, l.url("/one?a=b"))
		get2(t, c, l.url("/two"))
		want := regexp.MustCompile(`"frontend":"http","client":"127\.0\.0\.1:\d+","method":"GET","host":"127\.0\.0\.1:\d+","target":"/(one\?a=b|two)","proto":"HTTP/2\.0","pool":"web","backend":"s1","status":200,"bytes_in":\d+,"bytes_out":\d+,.*"flags":"--"`)
		for _, line := range lines(2) {
			if !want.MatchString(line) {
				t.Errorf("%s", line)
			}
		}
	})
	t.Run("tcp", func(t *testing.T) {
		l := newBed(t, one(rawBackend(t, "s1", func(_ int, c *rawConn) { _, _ = io.Copy(c, c.r) })), longChecks, inLog(lbcore.LogJSON),
			func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.Mode = lbcore.ModeTCP })
		lines, c := logged(t, l), l.dial()
		c.say("hello")
		must(t, c.CloseWrite())
		c.ended(t)
		want := regexp.MustCompile(`"frontend":"http","client":"127\.0\.0\.1:\d+","pool":"web","backend":"s1","bytes_in":5,"bytes_out":5,.*"flags":"--"`)
		if line := lines(1)[0]; !want.MatchString(line) || strings.Contains(line, "method") || strings.Contains(line, "status") {
			t.Errorf("%s", line)
		}
	})
}

func TestTheLogLeavesOutWhatWentWell(t *testing.T) {
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(404)
		}
	})), longChecks, oneLoop, inLog(lbcore.LogJSON), func(_ *lbcore.Config, f *lbcore.FrontendConfig, _ *lbcore.PoolConfig) { f.AccessLog.Sample = 5 })
	lines := logged(t, l)
	c := l.dial()
	for i := range 50 {
		path := "/"
		if i%10 == 9 {
			path = "/no"
		}
		c.say("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		c.answer(t, "GET")
	}
	all := strings.Join(lines(14), "\n")
	if n, m := strings.Count(all, `"status":200`), strings.Count(all, `"status":404`); n != 9 || m != 5 {
		t.Errorf("%d lines of 45 good requests, %d of 5 others", n, m)
	}
}

// A log that nobody reads stops nothing, and what it has lost is counted; another file takes its place.
func TestALogThatBlocksIsLost(t *testing.T) {
	l := newBed(t, one(fixed(t, "s1", okAnswer)), longChecks, oneLoop, inLog(lbcore.LogJSON))
	var fds [2]int
	must(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	defer unix.Close(fds[0])
	l.SetAccessLog(os.NewFile(uintptr(fds[1]), "pipe"))
	c := l.dial()
	must(t, c.SetDeadline(time.Now().Add(5*time.Minute)))
	long, buf := []byte("GET /"+strings.Repeat("x", 2000)+" HTTP/1.1\r\nHost: x\r\n\r\n"), make([]byte, 4096)
	n := 0
	eventually(t, "lines are lost", func() bool {
		for range 100 {
			askOnce(t, c, long, buf, []byte("\r\n\r\nok"))
			n++
		}
		return l.Snapshot().AccessLog.Lost > 0
	})
	lines := logged(t, l)
	must(t, unix.SetNonblock(fds[0], true))
	eventually(t, "the new file is written", func() bool {
		for b := make([]byte, 1<<16); ; {
			if k, err := unix.Read(fds[0], b); k <= 0 || err != nil {
				break
			}
		}
		askOnce(t, c, []byte(get), buf, []byte("\r\n\r\nok"))
		n++
		return l.Snapshot().AccessLog.Lines > 20
	})
	if got := lines(1); !strings.Contains(got[0], `"status":200`) {
		t.Errorf("%q", got[0])
	}
	eventually(t, "every line is accounted for", func() bool {
		a := l.Snapshot().AccessLog
		return a.Lines+a.Lost == uint64(n)
	})
}

func TestLoggingAllocatesNothing(t *testing.T) {
	l := newBed(t, one(fixed(t, "s1", okAnswer)), longChecks, oneLoop, inLog(lbcore.LogHAProxy))
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	must(t, err)
	l.SetAccessLog(f)
	if n := allocsOf(t, l, okAnswer[len(okAnswer)-5:]); n >= 500 {
		t.Errorf("%d allocations for 1000 requests", n)
	}
}
