package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// cloud stands for an API that routes a floating address: a folder that every host sees. The
// file owner names the node that has it.
type cloud struct {
	s   *site
	dir string
}

// hooked is the configuration of a balancer whose VIP is moved by a script.
const hooked = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[vip]]
address = "192.168.42.42"
claim = "hook"
hook = ["/bin/sh", "%s", "%s"]
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
`

// The first call of all fails, as APIs do. Release takes the address only from its own node.
const floating = `cd "$1" && cat > "$TANDEM_NODE.$TANDEM_ACTION.json"
mkdir tried 2>/dev/null && { echo "try again later"; exit 1; }
case $TANDEM_ACTION in
claim) echo "$TANDEM_NODE" > owner.new && mv owner.new owner ;;
release) test "$(cat owner)" != "$TANDEM_NODE" || rm owner ;;
esac
`

func newCloud(s *site) *cloud {
	s.t.Helper()
	dir, err := os.MkdirTemp("", "tandem-cloud-") // t.TempDir is closed to other users
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { os.RemoveAll(dir) })
	script := filepath.Join(dir, "floating")
	if err := os.WriteFile(script, []byte(floating), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		s.t.Fatal(err)
	}
	for _, lb := range balancers {
		s.configured(lb, fmt.Sprintf(hooked, script, dir))
	}
	return &cloud{s, dir}
}

func (c *cloud) owner() string {
	b, err := os.ReadFile(filepath.Join(c.dir, "owner"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// untilRoutedTo waits until the address is routed to a node, "" meaning any, and that node
// and no other says that it is active.
func (c *cloud) untilRoutedTo(lb string) string {
	c.s.t.Helper()
	c.s.until("the address is routed to the active "+lb, func() (bool, string) {
		owner := c.owner()
		if owner == "" || lb != "" && owner != lb {
			return false, fmt.Sprintf("to %q", owner)
		}
		st, err := c.s.status(owner)
		if err != nil || len(st.Groups) == 0 {
			return false, fmt.Sprint(err)
		}
		g := st.Groups[0]
		return g.State == "active" && g.Answers.IPv4 == "hook", fmt.Sprintf("%+v", g)
	})
	return c.owner()
}

func TestAHookMovesTheVIPInPlaceOfARP(t *testing.T) {
	s := newSite(t)
	c := newCloud(s)
	active := c.untilRoutedTo("")
	b, err := os.ReadFile(filepath.Join(c.dir, active+".claim.json"))
	if err != nil {
		t.Fatal(err)
	}
	var order struct {
		Action, Node, Address string
		VIPs                  []string
	}
	if err := json.Unmarshal(b, &order); err != nil || order.Node != active || len(order.VIPs) != 1 || order.VIPs[0] != vip.String() {
		t.Errorf("the hook was told %s (%v)", b, err)
	}
	if owner := s.owner(); owner != "" {
		t.Errorf("%s answers for the VIP", owner)
	}
	s.kill(s.process(active, "keeper")) // a dead node cannot release: the peer's claim moves it
	s.ended(active)
	c.untilRoutedTo(other(active))
	s.signal(other(active), syscall.SIGTERM)
	if err := s.ended(other(active)); err != nil {
		t.Errorf("the balancer that was told to end: %v", err)
	}
	if owner := c.owner(); owner != "" {
		t.Errorf("after an orderly end the address is routed to %s", owner)
	}
}
