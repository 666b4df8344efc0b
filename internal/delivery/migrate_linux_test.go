package delivery

import (
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/guide"
)

// A migration is that pair, of systems that Debian's keepalived and HAProxy run on as services,
// a host with the apps, and a client there.
type migration struct {
	t     *testing.T
	hosts map[string]*machine
	apps  *machine
	steps *guide.Steps
}

func newMigration(t *testing.T) *migration {
	t.Helper()
	doc, err := guide.Read("../../deploy/docs/migrate.md")
	if err != nil {
		t.Fatal(err)
	}
	g := &migration{t: t, hosts: map[string]*machine{}, steps: doc.Steps()}
	deb := theRelease(t).deb
	wire := newSegment(t)
	g.apps = newMachine(t, "apps")
	g.apps.put(theRelease(t).binary, "/usr/bin/tandem", 0o755)
	g.apps.powerOn()
	for i, name := range []string{"lb1", "lb2"} {
		m := newFurnished(t, name)
		m.put(deb, "/root/tandem.deb", 0o644)
		m.write("/etc/hosts", "127.0.0.1 localhost\n192.168.42.11 lb1\n192.168.42.12 lb2\n", 0o644)
		m.write("/etc/haproxy/haproxy.cfg", guide.OldHAProxy, 0o644)
		m.write("/etc/keepalived/keepalived.conf", guide.OldKeepalived("/usr/bin/killall", "eth1", []string{"MASTER", "BACKUP"}[i], 101-i), 0o644)
		m.powerOn()
		g.hosts[name] = m
	}
	g.apps.untilBooted()
	wire.plug(g.apps, "192.168.42.21")
	g.apps.run("ip addr add 192.168.42.22/24 dev eth1 && ip addr add 192.168.42.23/24 dev eth1 && systemd-run -q tandem webapp --listen :3000")
	for name, address := range map[string]string{"lb1": "192.168.42.11", "lb2": "192.168.42.12"} {
		m := g.hosts[name]
		m.untilBooted()
		wire.plug(m, address)
		m.run("dpkg -i /root/tandem.deb && systemctl enable --now haproxy keepalived")
	}
	g.apps.untilServed()
	g.apps.asks()
	return g
}

// TestTheMigrationGuideIsWordForWord does what the guide says, there and back. internal/e2e does
// it, too, as an ordinary user and with an exact client, and counts the VIP's owners.
func TestTheMigrationGuideIsWordForWord(t *testing.T) {
	asked(t)
	t.Parallel()
	g := newMigration(t)
	lb1, lb2 := g.hosts["lb1"], g.hosts["lb2"]
	began := time.Now()
	g.loses("preparing", 0, func() {
		g.follow("1. Prepare both hosts", 0, 2)
		g.follow("2. The backup becomes Tandem", 0, 3)
		lb2.untilIs("fault")
		g.follow("The way back", 0, 1) // from here, once, and forward again
		g.follow("2. The backup becomes Tandem", 1, 3)
		lb2.untilIs("fault")
	})
	g.loses("the move", -1, func() {
		g.follow("3. The VIP moves", 0, 1)
		lb2.untilActive()
		g.follow("3. The VIP moves", 1, 2)
	})
	g.loses("the other host", 0, func() {
		g.follow("4. The other host becomes Tandem", 0, 1)
		lb1.untilIs("backup")
		lb1.until("it can hand over without loss", func() (bool, string) {
			out, err := lb1.try("tandem status")
			return err == nil && strings.Contains(out, "handover to lb2: lossless"), out
		})
		g.follow("4. The other host becomes Tandem", 1, 2)
		lb1.untilActive()
	})
	there := time.Since(began)
	g.follow("The way back", 1, 4)
	g.apps.untilServed()
	t.Logf("there %v, and back %v", there.Round(time.Second), (time.Since(began) - there).Round(time.Second))
	for _, b := range g.steps.Left() {
		t.Errorf("%s was not run", b.At(0))
	}
}

// follow runs the steps that stand under a heading, from the one number to before the other.
func (g *migration) follow(heading string, from, to int) {
	g.t.Helper()
	typed := func(host string, b guide.Block) { g.hosts[host].typed(strings.TrimSpace(b.Text())) }
	if err := g.steps.Follow(heading, from, to, typed); err != nil {
		g.t.Fatal(err)
	}
}

// loses says what became of the client's requests while f ran; at most so many may fail, if any
// bound is given.
func (g *migration) loses(what string, most int, f func()) {
	g.t.Helper()
	before := len(g.apps.answers())
	f()
	all := g.apps.answers()[before:]
	failed := failures(all)
	g.t.Logf("%s: %d of %d requests failed", what, failed, len(all))
	if most >= 0 && failed > most || len(all) == 0 {
		g.t.Errorf("%s: %d of %d requests failed, want %d at most", what, failed, len(all), most)
	}
}
