package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/guide"
)

// needsABalancer are the commands that ask one that runs.
var needsABalancer = []string{
	"status", "members", "backends", "timeline", "why", "logs", "route", "join", "event", "keys",
	"handover", "reload", "drain", "ready", "maint", "weight",
}

// forBalancer returns the command lines of the documents' blocks that need one, each once, in
// their order. The migration guide has a test of its own.
func forBalancer(t *testing.T) (all [][]string) {
	t.Helper()
	files, err := guide.Files("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range files {
		d, err := guide.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(f) == "migrate.md" {
			continue
		}
		for _, b := range d.Blocks {
			for _, line := range b.Lines {
				for _, w := range guide.Words(line) {
					if w[0] != "tandem" || len(w) < 2 || !slices.Contains(needsABalancer, w[1]) || slices.Contains(w, "--follow") || seen[strings.Join(w, " ")] {
						continue
					}
					seen[strings.Join(w, " ")] = true
					all = append(all, w[1:])
				}
			}
		}
	}
	return all
}

// What the documents tell an operator to type is typed here, in that order, on one balancer of a
// pair; each command succeeds, by its own exit code.
func TestTheCommandsOfTheDocumentsAreDone(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	gossip, balancer := filepath.Join(dir, "gossip.key"), filepath.Join(dir, "balancer.key")
	if _, err := s.tandem("client", "keygen", gossip, balancer); err != nil {
		t.Fatal(err)
	}
	public, err := s.tandem("client", "keygen", "--public", balancer)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(gossip)
	if err == nil {
		err = os.WriteFile(gossip, append(key, public...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	conf := documentsSite + "gossip_key_file = \"" + gossip + "\"\nbalancer_key_file = \"" + balancer + "\"\n"
	for _, lb := range balancers {
		s.configured(lb, conf)
	}
	for _, web := range []string{"web1", "web2", "web3"} {
		s.start(web, "agent", "--pool", "web", "--port", "3000", "--join", vip.String(), "--gossip-key-file", gossip,
			"--", os.Getenv(binaryVar), "webapp", "--listen", ":3000", "--name", web)
	}
	s.untilServedBy("web1", "web2", "web3")
	s.untilLinked(s.untilOwnedBy(""))
	n := 0
	for _, c := range forBalancer(t) {
		n++
		if out, err := s.tandem("lb1", c...); err != nil {
			t.Errorf("tandem %s: %v\n%s", strings.Join(c, " "), err, out)
		}
		if c[0] == "handover" || c[0] == "maint" {
			s.until("one owns the VIP and the other has drained", func() (bool, string) {
				owner := s.owner()
				if owner == "" {
					return false, "nobody owns it"
				}
				st, err := s.status(other(owner))
				if err != nil || len(st.Groups) == 0 {
					return false, fmt.Sprint(err)
				}
				return st.Groups[0].State == "backup", other(owner) + " is " + st.Groups[0].State
			})
		}
	}
	if n < 8 {
		t.Errorf("only %d commands were found", n)
	}
}

const documentsSite = `
[[vip]]
address = "192.168.42.42"

[[frontend]]
listen = ":80"
pool = "web"

[pool.web]
check = { http = "/healthz" }

[cluster]
join = ["192.168.42.11", "192.168.42.12"]
`
