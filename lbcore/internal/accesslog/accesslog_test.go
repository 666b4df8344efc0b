package accesslog

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tandem-lb/tandem/internal/testneed"
)

func example() Entry {
	return Entry{
		Time: time.Date(2026, 11, 30, 16, 4, 16, 123e6, time.UTC), Frontend: "http", Client: netip.MustParseAddrPort("192.0.2.1:40000"),
		Method: []byte("GET"), Host: []byte("x"), Target: []byte("/a?b"), Minor: 1, Rule: "api", Pool: "web", Backend: "static s1", Status: 200, In: 70, Out: 243,
		Request: 0, Queue: 0, Connect: 1 * time.Millisecond, Response: 12345 * time.Microsecond, Total: 14 * time.Millisecond,
		Retries: 1, Redispatched: true, Conns: 5, OfFrontend: 4, OfPool: 2, OfB: 1, UserAgent: []byte(`curl "8"`),
	}
}

func TestLinesAreAsHAProxyWritesThem(t *testing.T) {
	bad, tcp, none, tls := example(), example(), example(), example()
	bad.Method, bad.Pool, bad.Backend, bad.Status, bad.Flags, bad.Retries, bad.Redispatched = nil, "", "", 400, [2]byte{'P', 'R'}, 0, false
	bad.Queue, bad.Connect, bad.Response, bad.Request = Never, Never, Never, Never
	tcp.TCP = true
	none.Status, none.Flags, none.Target = 0, [2]byte{'C', 'H'}, []byte("/a\"b#c\xff d\n")
	tls.TLS, tls.HTTP2 = true, true
	for want, e := range map[string]Entry{
		`192.0.2.1:40000 [30/Nov/2026:16:04:16.123] http web/static_s1 0/0/1/12/14 200 243 - - ---- 5/4/2/1/+1 0/0 "GET /a?b HTTP/1.1"`:                example(),
		`192.0.2.1:40000 [30/Nov/2026:16:04:16.123] http http/<NOSRV> -1/-1/-1/-1/14 400 243 - - PR-- 5/4/2/1/0 0/0 "<BADREQ>"`:                        bad,
		`192.0.2.1:40000 [30/Nov/2026:16:04:16.123] http web/static_s1 0/1/14 243 -- 5/4/2/1/+1 0/0`:                                                   tcp,
		`192.0.2.1:40000 [30/Nov/2026:16:04:16.123] http web/static_s1 0/0/1/12/14 -1 243 - - CH-- 5/4/2/1/+1 0/0 "GET /a#22b#23c#FF#20d#0A HTTP/1.1"`: none,
		`192.0.2.1:40000 [30/Nov/2026:16:04:16.123] http~ web/static_s1 0/0/1/12/14 200 243 - - ---- 5/4/2/1/+1 0/0 "GET /a?b HTTP/2.0"`:               tls,
	} {
		if got := string(AppendHAProxy(nil, &e)); got != want+"\n" {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

func TestALineOfJSON(t *testing.T) {
	e := example()
	const want = `{"time":"2026-11-30T16:04:16.123Z","frontend":"http","client":"192.0.2.1:40000","method":"GET","host":"x","target":"/a?b","proto":"HTTP/1.1",` +
		`"rule":"api","pool":"web","backend":"static s1","status":200,"bytes_in":70,"bytes_out":243,"request_ms":0,"queue_ms":0,"connect_ms":1,"response_ms":12.345,` +
		`"total_ms":14,"retries":1,"flags":"--","user_agent":"curl \"8\""}` + "\n"
	if got := string(AppendJSON(nil, &e)); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	e, buf := example(), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = AppendJSON(AppendHAProxy(buf[:0], &e), &e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// HAProxy's own reader of its logs understands ours.
func TestHalogReadsTheLines(t *testing.T) {
	halog, err := exec.LookPath("halog")
	if err != nil {
		testneed.Missing(t, "halog: apt-get install haproxy")
	}
	var in []byte
	for i := range 10 {
		e := example()
		if i == 9 {
			e.Status, e.Flags = 504, [2]byte{'s', 'H'}
		}
		in = AppendHAProxy(append(in, "Nov 30 16:04:16 lb1 tandem[123]: "...), &e)
	}
	for want, args := range map[string][]string{
		`(?m)^200 9$`:             {"-st"},
		`(?m)^sH 1$`:              {"-tc"},
		`(?m)^10 0 120 12 .* /a$`: {"-u"},
		`(?m)^web/static_s1 0 9 0 0 1 0 10 10 100.0 1 12$`: {"-srv"},
	} {
		cmd := exec.Command(halog, args...)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.CombinedOutput()
		if err != nil || !regexp.MustCompile(want).Match(out) {
			t.Errorf("halog %v: %v\n%s\nwant %s", args, err, out, want)
		}
	}
}

// However odd a request, its line is one line, with the fields that it should have.
func FuzzALineIsALine(f *testing.F) {
	f.Add([]byte("GET"), []byte("/"), []byte("x"), "s1")
	f.Add([]byte("G\"T"), []byte("/a\nb\r\x00\xff\u2028"), []byte("\\"), "a b\n")
	f.Fuzz(func(t *testing.T, method, target, host []byte, name string) {
		e := example()
		e.Method, e.Target, e.Host, e.Backend, e.UserAgent, e.Rule = method, target, host, name, target, name
		line := AppendJSON(nil, &e)
		var got map[string]any
		if bytes.Count(line, []byte("\n")) != 1 || json.Unmarshal(line, &got) != nil || bytes.Contains(line, []byte("\u2028")) {
			t.Fatalf("%q", line)
		}
		if len(method) > 0 && len(target) < MaxField && utf8.Valid(target) && got["target"] != string(target) {
			t.Fatalf("%q became %q", target, got["target"])
		}
		line = AppendHAProxy(nil, &e)
		if bytes.Count(line, []byte("\n")) != 1 || bytes.Count(line, []byte(`"`)) != 2 {
			t.Fatalf("%q", line)
		}
		if n := len(strings.Fields(string(line))); len(method) > 0 && n != 15 {
			t.Fatalf("%d fields: %q", n, line)
		}
	})
}
