package lbcore_test

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/rivals.txt anew; read the difference before you commit it")

// rival is another proxy, in front of a recorder of its own.
type rival struct {
	name, path string
	conf       func(dir, listen, backend string) string
	run        func(conf string) []string
}

// Neither keeps connections to the backend, so that a connection's end says that
// all has come; and both finish what a client that closed its sending side asked.
var rivals = []rival{
	{
		name: "haproxy", path: "/usr/sbin/haproxy",
		run: func(conf string) []string { return []string{"-db", "-f", conf} },
		conf: func(_, listen, backend string) string {
			return fmt.Sprintf(`global
	nbthread 1
	no strict-limits
defaults
	mode http
	timeout connect 1s
	timeout client 1s
	timeout server 1s
	timeout http-request 1s
	option forwardfor
	option http-server-close
frontend site
	bind %s
	default_backend web
backend web
	server s1 %s
`, listen, backend)
		},
	},
	{
		name: "nginx", path: "/usr/sbin/nginx",
		run: func(conf string) []string { return []string{"-e", "stderr", "-c", conf} },
		conf: func(dir, listen, backend string) string {
			return fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log /dev/null;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_timeout 1s;
	client_header_timeout 1s;
	client_body_timeout 1s;
	lingering_close off;
	server {
		listen %[2]s;
		location / {
			proxy_pass http://%[3]s;
			proxy_http_version 1.1;
			proxy_ignore_client_abort on;
			proxy_read_timeout 1s;
			proxy_set_header Connection close;
			proxy_set_header X-Forwarded-For $remote_addr;
		}
	}
}
`, dir, listen, backend)
		},
	},
}

// installed returns its version.
func (r rival) installed(t *testing.T) string {
	t.Helper()
	said, err := exec.Command(r.path, "-v").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: apt-get install haproxy nginx", err)
	}
	line, _, _ := strings.Cut(string(said), "\n")
	line, _, _ = strings.Cut(line, " 20") // a date
	return strings.TrimPrefix(line, "nginx version: ")
}

// start runs the rival in front of backend and returns its address.
func (r rival) start(t *testing.T, backend string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port that nobody has
	must(t, err)
	addr = ln.Addr().String()
	must(t, ln.Close())
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	must(t, os.WriteFile(conf, []byte(r.conf(dir, addr, backend)), 0o600))
	cmd := exec.Command(r.path, r.run(conf)...)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	eventually(t, r.name+" listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}

// throw sends one attack to addr, and says what became of it: the first status
// that the client got, and what r, the backend behind it, received. quiet says when
// nothing more will come.
func throw(t *testing.T, addr, attack string, r *recorder, quiet func() bool) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, _ = io.WriteString(c, attack)
	_ = c.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(c)
	c.Close()
	eventually(t, fmt.Sprintf("%q ends", attack), quiet)
	r.mu.Lock()
	defer r.mu.Unlock()
	status, forwarded, mark := "---", 0, ""
	if rest, ok := strings.CutPrefix(string(answer), "HTTP/1."); ok && len(rest) >= 5 {
		status = rest[2:5]
	}
	for _, b := range r.raw {
		defer b.Reset() // Tandem keeps the connection
		theirs, restTheirs := readByNetHTTP(b.Bytes())
		ours, restOurs := readByOurs(b.Bytes())
		cut := strings.HasSuffix(restTheirs, "EOF") && strings.HasSuffix(restOurs, "<nil>")
		for i := range theirs {
			theirs[i].From = "" // who sent it is no matter of framing
		}
		for i := range ours {
			ours[i].From = ""
		}
		if !slices.Equal(theirs, ours) || restTheirs+restOurs != "" && !cut {
			mark = "!"
		}
		forwarded += len(theirs)
		if len(theirs) == 0 && b.Len() > 0 && !cut {
			forwarded++
		}
	}
	return fmt.Sprintf("%s %d%s", status, forwarded, mark)
}

// closed says that every connection to r has ended.
func (r *recorder) closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open == 0
}

// TestWhatOthersDoWithTheSameAttacks keeps Tandem's column of testdata/rivals.txt
// true. What HAProxy and nginx do with the same bytes is recorded by -update only: they
// pass on what they have before they see what is wrong with the rest, so that it
// varies how much of it arrives; the worst of some runs is in the table.
func TestWhatOthersDoWithTheSameAttacks(t *testing.T) {
	list := attacks()
	names, rows := []string{"tandem"}, make([][]string, len(list))
	mine := newRecorder(t)
	l := newBed(t, one(mine.BackendConfig), longChecks, oneLoop)
	for i, a := range list {
		rows[i] = append(rows[i], throw(t, l.addr, a, mine, func() bool {
			mine.mu.Lock()
			defer mine.mu.Unlock()
			return l.Connections().Total == 0 && mine.open == l.poolState().Backends[0].Counters.Conns
		}))
	}
	if *update {
		for _, r := range rivals {
			names = append(names, r.installed(t))
			rec := newRecorder(t)
			addr := r.start(t, rec.Addr.String())
			for i, a := range list {
				rows[i] = append(rows[i], worst(func() string { return throw(t, addr, a, rec, rec.closed) }))
			}
		}
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(rivalsFile, []byte(rivalsTable(names, list, rows)), 0o644))
	}
	table, err := os.ReadFile(rivalsFile)
	must(t, err)
	compareWithTable(t, string(table), list, rows)
}

// worst is the outcome of some runs in which most was forwarded.
func worst(run func() string) string {
	most := run()
	for range 4 {
		if got := run(); got[4:] > most[4:] { // digits, then "!"
			most = got
		}
	}
	return most
}

const rivalsFile = "testdata/rivals.txt"

const rivalsHead = `What becomes of each attack: the first status that the client got (--- is none),
and how many requests the backend received, at worst. ! marks those that Tandem's parser and
net/http do not read alike, or refuse. Written by
	go test ./lbcore -run TestWhatOthersDo -update
`

// rivalsTable is the content of testdata/rivals.txt.
func rivalsTable(names, list []string, rows [][]string) string {
	groups := []string{
		"Another forwards what can be read in two ways, or not at all",
		"Tandem refuses what another forwards",
		"Tandem forwards what another refuses",
		"All do the same",
	}
	lines := make([][]string, len(groups))
	for i, row := range rows {
		g := 3
		mine := forwards(row[0])
		for _, cell := range row[1:] {
			switch {
			case strings.HasSuffix(cell, "!"):
				g = 0
			case forwards(cell) && !mine:
				g = min(g, 1)
			case mine && !forwards(cell):
				g = min(g, 2)
			}
		}
		lines[g] = append(lines[g], rivalsLine(row, list[i]))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nColumns: %s\n", rivalsHead, strings.Join(names, " | "))
	for g, name := range groups {
		fmt.Fprintf(&b, "\n%s: %d of %d\n\n%s", name, len(lines[g]), len(list), strings.Join(lines[g], ""))
	}
	return b.String()
}

func forwards(cell string) bool { return !strings.HasSuffix(cell, " 0") }

func rivalsLine(row []string, attack string) string {
	var b strings.Builder
	for _, cell := range row {
		fmt.Fprintf(&b, "%-7s| ", cell)
	}
	if len(attack) > 200 {
		attack = attack[:200] + "..."
	}
	fmt.Fprintf(&b, "%q\n", attack)
	return b.String()
}

// compareWithTable wants each attack to end as the table says, and none to go on
// in a form that can be read in two ways.
func compareWithTable(t *testing.T, table string, list []string, rows [][]string) {
	t.Helper()
	lines := strings.Split(table, "\n")
	for i, row := range rows {
		_, attack, _ := strings.Cut(strings.TrimSuffix(rivalsLine(row, list[i]), "\n"), "\"")
		if !slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, fmt.Sprintf("%-7s| ", row[0])) && strings.HasSuffix(l, "| \""+attack)
		}) {
			t.Errorf("%q ended as %s, which is not what the table says", list[i], row[0])
		}
		if strings.HasSuffix(row[0], "!") {
			t.Errorf("%q goes on in a form that can be read in two ways", list[i])
		}
	}
}
