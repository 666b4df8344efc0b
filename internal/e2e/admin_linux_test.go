package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// adminConf is a pair whose status page takes orders.
const adminConf = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
balancer_key_file = %q
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
[control]
admin_token_file = %q
`

// In a browser: without a token the page shows nothing to click; with it a backend is drained
// after a question, on both balancers, and the timeline tells from where that came.
func TestTheStatusPageGivesOrdersForWhoHasTheToken(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	file, key := filepath.Join(dir, "admin.token"), filepath.Join(dir, "balancer.key")
	if out, err := s.tandem("client", "keygen", file, key); err != nil {
		t.Fatal(out, err)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.conf = fmt.Sprintf(adminConf, key, file)
	s.startLB("lb1", "lb2")
	s.settled()

	b := s.newBrowser(pageOf("lb1"))
	b.until(s, "#pools td", "web1-3000")
	b.until(s, "#sign-in", "Sign in to steer")
	if got := b.says(`getComputedStyle(document.querySelector("#pools button.steer")).display`); got != "none" {
		t.Errorf("a button to steer is %q for whoever has not signed in", got)
	}
	click := func(selector, label string) {
		t.Helper()
		s.until("there is "+label+" to click", func() (bool, string) {
			got := b.says(fmt.Sprintf(`(() => { const e = [...document.querySelectorAll(%q)].find((e) => e.textContent === %q || e.getAttribute("aria-label") === %q); if (!e) return document.querySelector("dialog").textContent; e.click(); return ""; })()`, selector, label, label))
			return got == "", got
		})
	}
	click("#sign-in", "Sign in to steer")
	b.says(fmt.Sprintf(`document.querySelector("dialog input").value = %q`, strings.TrimSpace(string(token))))
	click("dialog button", "Sign in")
	b.until(s, "#sign-in", "Sign out")
	click("#pools button", "Steer web1-3000")
	click("dialog button", "Drain")
	b.until(s, "dialog h3", "web/web1-3000: drain?")
	click("dialog button", "Yes, do it")
	b.until(s, "#done", "web1-3000 in web drains")
	b.until(s, "#pools .badge.warn", "drain")
	b.until(s, "#timeline li", "status page, from 192.168.42.100")
	s.untilServedBy("web2")
	s.untilSays("lb2", "lb2 drains it as well", "drains by hand: set by status page, from 192.168.42.100 on lb1", "why", "web1")

	// An app that leaves is in no pool, which the page says, and why.
	s.signal("web2", syscall.SIGTERM)
	b.until(s, "#outside td", "web2-3000")
	b.until(s, "#outside td", "gossip says left")

	for _, log := range []string{s.logs["lb1"].tail(), s.logs["lb2"].tail(), b.reads("body")} {
		if strings.Contains(log, strings.TrimSpace(string(token))) {
			t.Error("the token stands in a log, or in the page")
		}
	}
	if wrong := b.complaints(); len(wrong) > 0 {
		t.Errorf("the browser complains: %q", wrong)
	}
	s.ordersFor("lb2", "lb1")
}

// ordersFor gives orders on one balancer that another one carries out, and looks for them in its timeline.
func (s *site) ordersFor(at, node string) {
	s.t.Helper()
	for _, o := range []struct{ order, says string }{
		{"maint on --node " + node, node + " is in maintenance"},
		{"maint off --node " + node, "in service again"},
		{"reload --dry-run --node " + node, "says what is in effect already"},
		{"reload --node all", node + ": "},
	} {
		out, err := s.tandem(at, strings.Fields(o.order)...)
		if err != nil || !strings.Contains(out, o.says) {
			s.t.Errorf("%s on %s: %q, %v; want %q", o.order, at, out, err, o.says)
		}
	}
	if out, err := s.tandem(at, "reload", "--node", "lb9"); err == nil || !strings.Contains(err.Error(), "no balancer is called") {
		s.t.Errorf("an order for nobody: %q, %v", out, err)
	}
	orders := map[string]int{}
	for _, e := range s.timeline(node, "--kind", "order") {
		if strings.HasPrefix(e.Who, "uid ") && strings.HasSuffix(e.Who, " on "+at) {
			orders[e.Subject+" "+e.To]++
		}
	}
	for _, want := range []string{"maint on asked", "maint on done", "maint off asked", "maint off done", "reload asked", "reload done"} {
		if orders[want] != 1 {
			s.t.Errorf("in the timeline of %s %q stands %d times by somebody on %s, want once: %v", node, want, orders[want], at, orders)
		}
	}
}
