package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-lb/tandem/internal/lab"
)

// wanting is the configuration of a balancer whose pool wants two apps. The socket is where
// the machine that starts apps reaches it.
const wanting = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
min_backends = 2
min_backends_after = "1s"
[control]
socket = "%s"
`

// scale starts as many apps as are missing, as a script would that asks Docker for them.
const scale = `echo "$TANDEM_WANTED $TANDEM_UP $TANDEM_MISSING by $TANDEM_NODE" >> %[1]s/raised
n=0
while [ $n -lt "$TANDEM_MISSING" ]; do
	n=$((n + 1))
	port=$((4000 + $(ls %[1]s | wc -l)))
	touch %[1]s/app-$port
	%[2]s agent --pool web --port $port --join 192.168.42.42 -- %[2]s webapp --listen :$port --name app-$port > %[1]s/log-$port 2>&1 &
done
`

// All apps die, and a program on another machine that watches both balancers starts as many
// again as the pool wants.
func TestAPoolThatLostItsAppsGetsThemBackFromWhoeverWatches(t *testing.T) {
	s := newSite(t)
	dir := openDir(t)
	for _, lb := range balancers {
		s.configured(lb, fmt.Sprintf(wanting, filepath.Join(dir, lb+".sock")))
	}
	active := s.untilOwnedBy("")
	watch := func(args ...string) []string {
		return append([]string{"watch", "--socket", filepath.Join(dir, "lb1.sock"), "--socket", filepath.Join(dir, "lb2.sock")}, args...)
	}
	met := new(logBuffer)
	if _, err := s.hosts["client"].Start(lab.Command{Path: os.Getenv(binaryVar), Args: watch("--json", "pool-minimum-met"), Stdout: met, Stderr: met}); err != nil {
		t.Fatal(err)
	}
	s.startApp("web1", "web2")
	s.untilServedBy("web1", "web2")
	script := filepath.Join(dir, "scale.sh")
	if err := os.WriteFile(script, []byte(fmt.Sprintf(scale, dir, os.Getenv(binaryVar))), 0o644); err != nil {
		t.Fatal(err)
	}
	s.start("web3", watch("pool-below-minimum", "--", "/bin/sh", script)...)
	for _, app := range []string{"web1", "web2"} {
		s.signal(app, syscall.SIGKILL)
	}
	s.until("two new apps serve", func() (bool, string) {
		from := map[string]bool{}
		for range 8 {
			app, err := s.get()
			if err != nil {
				return false, err.Error()
			}
			from[app] = true
		}
		return len(from) == 2 && !from["web1"] && !from["web2"], fmt.Sprint(from)
	})
	raised, _ := os.ReadFile(filepath.Join(dir, "raised"))
	for line := range strings.Lines(string(raised)) {
		if !strings.HasSuffix(line, " by "+active+"\n") || !strings.HasPrefix(line, "2 ") {
			t.Errorf("raised: %s", line)
		}
	}
	s.until("the end of it is told", func() (bool, string) {
		return strings.Contains(met.tail(), `"event":"pool-minimum-met"`) && strings.Contains(met.tail(), `"wanted":2,"up":2,"missing":0`), met.tail()
	})
}
