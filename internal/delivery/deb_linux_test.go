package delivery

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// debConfig is of a balancer on its own.
const debConfig = `[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool   = "web"
[pool.web]
policy   = "roundrobin"
backends = ["192.168.42.21:3000"]
`

// older makes the same package of an earlier version.
func older(t *testing.T, deb string) string {
	t.Helper()
	dir := t.TempDir()
	tree, out := filepath.Join(dir, "tree"), filepath.Join(dir, "older.deb")
	run(t, "", nil, "dpkg-deb", "-R", deb, tree)
	run(t, "", nil, "sed", "-i", "s/^Version: .*/Version: 1.2.2/", filepath.Join(tree, "DEBIAN/control"))
	run(t, "", nil, "dpkg-deb", "-Zgzip", "-z1", "-b", tree, out)
	return out
}

// debMachine has the package of an earlier version installed, and an address in the VIP's subnet.
func debMachine(t *testing.T) *machine {
	t.Helper()
	deb := theRelease(t).deb
	m := newMachine(t, "lb1")
	m.put(older(t, deb), "/root/older.deb", 0o644)
	m.put(deb, "/root/tandem.deb", 0o644)
	m.boot()
	m.run("ip link add eth1 type veth peer name far && ip addr add 192.168.42.11/24 dev eth1 && ip link set eth1 up && ip link set far up")
	m.run("dpkg -i /root/older.deb")
	return m
}

// want runs a script and looks at what it prints.
func (m *machine) want(script, want string) {
	m.t.Helper()
	if out, err := m.try(script); strings.TrimSpace(out) != want {
		m.t.Errorf("%s: printed %q, want %q (%v)\n%s", script, strings.TrimSpace(out), want, err, m.journal())
	}
}

// nothingLeft checks that no VIP and no table of nftables is on the machine.
func (m *machine) nothingLeft() {
	m.t.Helper()
	m.want("nft list tables; ip -o addr show to 192.168.42.42", "")
}

// state is what the balancer on the machine is: active, backup, and so on.
func (m *machine) state() string {
	out, _ := m.try(`tandem status | sed -n 's/^vip .*: \([a-z]*\).*/\1/p'`)
	return strings.TrimSpace(out)
}

func (m *machine) untilActive() { m.t.Helper(); m.untilIs("active") }

func (m *machine) untilIs(state string) {
	m.t.Helper()
	m.until("it is "+state, func() (bool, string) { now := m.state(); return now == state, now })
}

func TestThePackageStartsNothingByItself(t *testing.T) {
	asked(t)
	t.Parallel()
	m := debMachine(t)
	m.want("systemctl is-enabled tandem tandem-agent", "disabled\ndisabled")
	m.want("systemctl is-active tandem tandem-agent", "inactive\ninactive")
	m.nothingLeft()
	m.want("dpkg -V tandem", "")
	m.want("systemd-analyze verify tandem.service tandem-agent.service 2>&1 | grep -v 'man tandem' ", "")
	m.want("getent passwd tandem-control tandem-proxy tandem-hook tandem-agent | wc -l", "4")
	m.want("bash -n /usr/share/bash-completion/completions/tandem && zcat /usr/share/man/man1/tandem-lb.1.gz | grep -c '^.SH NAME'", "1")

	// Nor when somebody starts it who has not said what to serve.
	if out, err := m.try("systemctl start tandem"); err == nil {
		t.Errorf("it has started with nothing but comments: %s", out)
	}
	m.run("systemctl stop tandem")
	if said := m.journal(); !strings.Contains(said, "there is no frontend") || !strings.Contains(said, "/etc/tandem/tandem.toml") {
		t.Errorf("it did not say why:\n%s", said)
	}
	m.nothingLeft()

	// What the comments say is a configuration that is good.
	m.run("sed -i 's/^#\\([^ ]\\)/\\1/' /etc/tandem/tandem.toml /etc/tandem/agent.toml && tandem check /etc/tandem/tandem.toml && tandem check --agent /etc/tandem/agent.toml")

	// Where AppArmor may keep users from namespaces, its profile comes and goes with the package.
	m.run("mkdir -p /etc/apparmor.d/abi && touch /etc/apparmor.d/abi/4.0 && dpkg -i /root/older.deb && test -e /etc/apparmor.d/tandem && dpkg -P tandem")
	m.want("ls /etc/apparmor.d", "abi")
}

func TestAPackagedBalancerIsUpgradedAndRemoved(t *testing.T) {
	asked(t)
	t.Parallel()
	m := debMachine(t)
	m.write("/etc/tandem/tandem.toml", debConfig, 0o644)
	m.run("systemctl enable --now tandem")
	m.untilActive()
	m.until("systemd shows that it is", func() (bool, string) {
		out, err := m.try("systemctl show -P StatusText tandem")
		return err == nil && strings.HasPrefix(out, "active, "), out
	})

	// systemctl reload returns when it is in effect, or has been refused.
	m.run("sed -i s/roundrobin/leastconn/ /etc/tandem/tandem.toml && systemctl reload tandem")
	m.want(`tandem status --json | grep -o '"policy": "[a-z]*"'`, `"policy": "leastconn"`)
	if out, err := m.try("sed -i s/leastconn/nonsense/ /etc/tandem/tandem.toml; systemctl reload tandem"); err == nil {
		t.Errorf("a bad configuration was reloaded: %s", out)
	}
	m.run("sed -i s/nonsense/roundrobin/ /etc/tandem/tandem.toml")

	// The watchdog ends a keeper that does not come round any more.
	m.run("mkdir -p /run/systemd/system/tandem.service.d && printf '[Service]\\nWatchdogSec=2\\n' > /run/systemd/system/tandem.service.d/test.conf && systemctl daemon-reload && systemctl restart tandem")
	m.untilActive()
	before := m.run("systemctl show -P MainPID tandem")
	m.run("kill -STOP " + before)
	m.until("systemd has started another keeper", func() (bool, string) {
		now, _ := m.try("systemctl show -P MainPID tandem; systemctl is-active tandem")
		return !strings.HasPrefix(now, before) && strings.HasSuffix(now, "\nactive\n"), now
	})
	m.untilActive()

	// An upgrade restarts nothing, keeps what was written, and says what to do.
	before = m.run("systemctl show -P MainPID tandem")
	if out := m.run("dpkg -i /root/tandem.deb 2>&1"); !strings.Contains(out, "tandem runs on as version 1.2.2 until 'systemctl restart tandem'") {
		t.Errorf("the upgrade said\n%s", out)
	}
	m.want("systemctl show -P MainPID tandem", strings.TrimSpace(before))
	m.want("grep -c roundrobin /etc/tandem/tandem.toml", "1")
	m.untilActive()
	m.run("systemctl restart tandem")
	m.untilActive()

	// One that was killed leaves the kernel mute; removing the package does not.
	m.run("printf '[Service]\\nRestart=no\\n' > /run/systemd/system/tandem.service.d/test.conf && systemctl daemon-reload && systemctl kill --kill-who=all -s KILL tandem")
	m.until("all of it has ended", func() (bool, string) { out, _ := m.try("systemctl is-active tandem"); return out == "failed\n", out })
	if out := m.run("nft list tables"); !strings.Contains(out, "arp") {
		t.Errorf("a killed balancer left no table, so that this test tests nothing: %q", out)
	}
	m.run("tandem keygen /etc/tandem/gossip.key /etc/tandem/balancer.key && dpkg -r tandem")
	m.want("nft list tables", "")
	m.want("ls /etc/tandem; ls /usr/bin/tandem 2>&1", "agent.toml\nbalancer.key\ngossip.key\ntandem.toml\nls: cannot access '/usr/bin/tandem': No such file or directory")

	// Installed again it is as before; purged while it serves, nothing is left.
	m.run("ip addr del 192.168.42.42/32 dev eth1 2> /dev/null; dpkg -i /root/tandem.deb && systemctl start tandem")
	m.untilActive()
	m.run("dpkg -P tandem")
	m.nothingLeft()
	m.want("ls -d /etc/tandem /var/lib/tandem /run/tandem /etc/default/tandem 2> /dev/null; find /etc/systemd /var/lib/systemd -name '*tandem*'", "")
	m.want("systemctl is-system-running", "running")
}

var exposure = regexp.MustCompile(`exposure level for (\S+): ([0-9.]+)`)

// The score that the documents say is what systemd says.
func TestTheUnitsAreAsHardenedAsTheDocumentsSay(t *testing.T) {
	asked(t)
	t.Parallel()
	m := newMachine(t, "lb1")
	for _, unit := range []string{"tandem", "tandem-agent"} {
		m.put("../../deploy/systemd/"+unit+".service", "/root/"+unit+".service", 0o644)
		found := exposure.FindStringSubmatch(run(t, "", nil, "chroot", m.path(""), "systemd-analyze", "security", "--no-pager", "--offline=true", "/root/"+unit+".service"))
		if found == nil {
			t.Fatal("systemd-analyze has said no score")
		}
		doc, err := os.ReadFile("../../deploy/docs/install.md")
		if err != nil {
			t.Fatal(err)
		}
		if want := "`" + found[1] + "` " + found[2]; !strings.Contains(strings.Join(strings.Fields(string(doc)), " "), want) {
			t.Errorf("deploy/docs/install.md does not say %q", want)
		}
	}
}

func TestLintianHasNothingToSay(t *testing.T) {
	asked(t)
	t.Parallel()
	deb := theRelease(t).deb
	need(t, "lintian", "lintian")
	if out, err := command("", nil, "lintian", "--allow-root", "--fail-on", "error,warning,info", deb); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("%v\n%s", err, out)
	}
}
