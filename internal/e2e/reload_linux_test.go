package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reloads is how often a balancer's configuration changes under load in one test.
const reloads = 50

// reloadConf is a configuration that differs from each of the two before it: a frontend comes
// and goes, the one under load changes its pool, its timeouts and its check.
func reloadConf(i int) string {
	other := ""
	if i%2 == 1 {
		other = "[[frontend]]\nlisten = \":81\"\npool = \"static\"\n"
	}
	return fmt.Sprintf(`
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = %q
idle_timeout = "%ds"
%s
[pool.web]
policy = %q
server_timeout = "%ds"
check = { http = "/whoami", interval = "%dms", jitter = 20, host = "check.example", headers = ["X-Forwarded-For: check"], status = "200-299,304", expect = '"host":"check.example"', expect_regex = '"forwarded_for":"[a-z]+"' }
[pool.static]
backends = ["192.168.42.2%d:3000"]
[node.lb1]
priority = %d
`, []string{"web", "static", "web"}[i%3], 30+i, other, []string{"roundrobin", "leastconn"}[i%2], 10+i, 100+i, 1+i/3%2, 100+i%5)
}

// logTo has the access log in a file.
func logTo(file string) string { return fmt.Sprintf("[access_log]\nfile = %q\n", file) }

// write puts a configuration into a balancer's file.
func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReloadsUnderLoadCostNoRequestAndWhatCannotBeIsRefusedByName(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	file, log := filepath.Join(dir, "tandem.toml"), filepath.Join(dir, "access.log")
	write(t, file, reloadConf(0)+logTo(log))
	s.start("lb1", "webapp", "--listen", ":9000", "--name", "neighbour")
	s.start("lb1", "lb", "--config", file)
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	keeper, proxy, epoch := s.process("lb1", "keeper"), s.process("lb1", "proxy"), s.epoch("lb1")

	c := s.company()
	c.keep(5, "/", 20*time.Millisecond)
	c.keep(5, "/slow?ms=1000", 0)
	c.underWay()
	tally := s.load(func() {
		for i := 1; i <= reloads; i++ {
			write(t, file, reloadConf(i)+logTo(log))
			if out, err := s.tandem("lb1", "reload"); err != nil || !strings.Contains(out, "in effect") {
				t.Fatalf("reload %d: %q, %v", i, out, err)
			}
		}
		write(t, file, reloadConf(reloads+1)+logTo(log))
		s.signal("lb1", syscall.SIGHUP)
		s.until("the signal has reloaded it", func() (bool, string) {
			said := s.logs["lb1"].tail()
			n := strings.Count(said, "configuration reloaded")
			return strings.Contains(said, fmt.Sprintf("idle_timeout = \"%ds\"", 30+reloads+1)) || n > reloads, fmt.Sprint(n, " reloads")
		})
	})
	c.end()
	if tally.Failed != 0 {
		t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
	if k, p := s.process("lb1", "keeper"), s.process("lb1", "proxy"); k != keeper || p != proxy || s.epoch("lb1") != epoch {
		t.Errorf("something was started anew, or the VIP moved: keeper %d was %d, proxy %d was %d", k, keeper, p, proxy)
	}

	s.rotate("lb1", log)

	// What is refused changes nothing, names the reason, and says so before it is tried.
	good := reloadConf(reloads+1) + logTo(log)
	for text, want := range map[string]string{
		strings.Replace(good, "[[vip]]", "advert_port = 7999\n[[vip]]", 1):       "cluster.advert_port",
		strings.Replace(good, "192.168.42.42", "192.168.42.43", 1):               "vip.192.168.42.43",
		strings.Replace(good, "idle_timeout", "idle_tmeout", 1):                  `did you mean "idle_timeout"`,
		good + "[[frontend]]\nlisten = \"192.168.42.11:9000\"\npool = \"web\"\n": "something else has this port",
	} {
		write(t, file, text)
		if out, err := s.tandem("lb1", "reload"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want a refusal that says %q, got %q, %v", want, out, err)
		}
	}
	write(t, file, strings.Replace(good, ":81", ":82", 1))
	out, err := s.tandem("lb1", "reload", "--dry-run")
	if err != nil || !strings.Contains(out, "+ frontend.:82\n- frontend.:81\n") {
		t.Errorf("--dry-run: %q, %v", out, err)
	}
	if out, err := s.tandem("lb1", "timeline", "--kind", "reload"); err != nil || strings.Count(out, "\n") < reloads || !strings.Contains(out, "refused") {
		t.Errorf("the timeline of reloads: %q, %v", out, err)
	}

	// Another file on the peer is shown by both.
	s.conf = strings.Replace(good, "[pool.web]", "[pool.web]\nretries = 1", 1)
	s.startLB("lb2")
	for lb, peer := range map[string]string{"lb1": "lb2", "lb2": "lb1"} {
		s.until(lb+" says that "+peer+" has another configuration", func() (bool, string) {
			out, err := s.tandem(lb, "status")
			return err == nil && strings.Contains(out, "is not the one of "+peer), fmt.Sprint(out, err)
		})
	}
	write(t, file, s.conf)
	if out, err := s.tandem("lb1", "reload"); err != nil {
		t.Fatalf("%q, %v", out, err)
	}
	s.until("both have the same configuration", func() (bool, string) {
		out, err := s.tandem("lb2", "status")
		return err == nil && !strings.Contains(out, "is not the one of"), fmt.Sprint(out, err)
	})

	// What a check finds is said in words.
	write(t, file, strings.Replace(s.conf, `"host":"check.example"`, "ready", 1))
	if out, err := s.tandem("lb1", "reload"); err != nil {
		t.Fatalf("%q, %v", out, err)
	}
	const why = `Its check fails: GET /whoami: the body lacks "ready": it is "{\"name\":\"web`
	s.until("backends, why and the timeline say what the check found", func() (bool, string) {
		var all string
		for _, args := range [][]string{{"backends", "--node", "lb1"}, {"why", "web1"}, {"timeline", "--kind", "backend"}} {
			out, err := s.tandem("lb1", args...)
			if all += fmt.Sprint(out, err, "\n"); !strings.Contains(out, strings.TrimPrefix(why, "Its check fails: ")) {
				return false, all
			}
		}
		return strings.Contains(all, why), all
	})
}

// rotate does to a balancer's access log what logrotate does: it goes on in a new file.
func (s *site) rotate(lb, log string) {
	s.t.Helper()
	if err := os.Rename(log, log+".1"); err != nil {
		s.t.Fatal(err)
	}
	s.signal(lb, syscall.SIGUSR1)
	s.until("the access log is opened anew", func() (bool, string) {
		_, err := os.Stat(log)
		return err == nil, fmt.Sprint(err)
	})
	before, err := os.ReadFile(log + ".1")
	if err != nil || !strings.Contains(string(before), `"status":200`) {
		s.t.Errorf("the old log holds no request: %v", err)
	}
	s.until("a request is in the new log", func() (bool, string) {
		_, _ = s.get()
		b, err := os.ReadFile(log)
		return strings.Contains(string(b), `"status":200`), fmt.Sprint(string(b), err)
	})
	after, err := os.ReadFile(log + ".1")
	if lines := strings.Split(string(after), "\n"); err != nil || lines[len(lines)-1] != "" {
		s.t.Errorf("the old log ends in %q, %v", lines[len(lines)-1], err)
	}
}
