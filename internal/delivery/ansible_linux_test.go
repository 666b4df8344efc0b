package delivery

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A managed site is Ansible's example: balancers and an app on systems that Debian made, and
// Ansible on another one, which reaches them by ssh.
type managed struct {
	t       *testing.T
	control *machine
	hosts   map[string]*machine
}

func newManaged(t *testing.T) *managed {
	t.Helper()
	g := &managed{t: t, hosts: map[string]*machine{}}
	wire := newSegment(t)
	g.control = newFurnished(t, "control")
	if err := os.CopyFS(g.control.path("/root/tandem/deploy/ansible"), os.DirFS("../../deploy/ansible")); err != nil {
		t.Fatal(err)
	}
	g.control.put(theRelease(t).binary, "/usr/bin/tandem", 0o755)
	addresses := map[string]string{"lb1": "192.168.42.11", "lb2": "192.168.42.12", "web1": "192.168.42.21"}
	for name := range addresses {
		g.hosts[name] = newFurnished(t, name)
		g.hosts[name].powerOn()
	}
	g.control.boot()
	wire.plug(g.control, "192.168.42.9")
	for name, address := range addresses {
		g.hosts[name].untilBooted()
		wire.plug(g.hosts[name], address)
	}
	return g
}

// bring puts a package where deploy/release.sh would have made it, in the place of another.
func (g *managed) bring(deb, as string) {
	g.t.Helper()
	g.control.run("rm -rf /root/tandem/dist")
	g.control.put(deb, "/root/tandem/dist/"+as, 0o644)
}

var recap = regexp.MustCompile(`(?m)^(\w+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+) `)

// play does what install.md says, and returns what it printed, and what it has changed on whom.
func (g *managed) play(also string) (out string, changed map[string]string) {
	g.t.Helper()
	line := commands(g.t, "deploy/docs/install.md", "With Ansible")[0]
	began := time.Now()
	out, err := g.control.try("cd /root/tandem && ANSIBLE_PIPELINING=1 ANSIBLE_SSH_ARGS='-o ControlMaster=auto -o ControlPersist=60s' ANSIBLE_NOCOLOR=1 " + line + " --diff -v " + also)
	g.t.Logf("%6v  %s %s", time.Since(began).Round(10*time.Millisecond), line, also)
	changed = map[string]string{}
	for _, row := range recap.FindAllStringSubmatch(out, -1) {
		changed[row[1]] = row[2]
	}
	if err != nil {
		out += err.Error()
		return out, nil
	}
	return out, changed
}

func TestTheAnsibleRoleMakesKeepsAndUpgradesASite(t *testing.T) {
	asked(t)
	t.Parallel()
	g := newManaged(t)
	lb1, lb2, web1 := g.hosts["lb1"], g.hosts["lb2"], g.hosts["web1"]
	deb := theRelease(t).deb
	g.bring(older(t, deb), "tandem_1.2.2_amd64.deb")
	first, changed := g.play("")
	if changed == nil {
		t.Fatal(first)
	}
	g.control.untilServed()
	g.secret(first)
	lb1.want("stat -c '%a %U %G' /etc/tandem/gossip.key /etc/tandem/balancer.key", "600 root root\n600 root root")
	web1.want("stat -c '%a %U %G' /etc/tandem/gossip.key; ls /etc/tandem/balancer.key 2>&1", "640 root tandem-agent\nls: cannot access '/etc/tandem/balancer.key': No such file or directory")
	web1.want("systemctl is-enabled tandem-agent; dpkg-query -W -f '${Version}' tandem", "enabled\n1.2.2")

	again, changed := g.play("")
	if len(changed) != 3 || changed["lb1"] != "0" || changed["lb2"] != "0" || changed["web1"] != "0" {
		t.Errorf("the second run has changed something: %v\n%s", changed, again)
	}

	// A configuration that is wrong gets nowhere, and one that is right is reloaded.
	pid := "systemctl show -P MainPID tandem"
	before := map[*machine]string{lb1: lb1.run(pid), lb2: lb2.run(pid)}
	if out, changed := g.play("--limit lb1 -e '" + `{"tandem_config": "[[vip]]\naddress = \"nonsense\"\n"}'`); changed != nil {
		t.Errorf("a wrong configuration was taken:\n%s", out)
	}
	lb1.want("grep -c nonsense /etc/tandem/tandem.toml", "0")
	g.control.run("sed -i 's|check = { http|policy = \"leastconn\"\\n          &|' /root/tandem/deploy/ansible/hosts.yml")
	reloaded, changed := g.play("--limit lb1")
	if changed["lb1"] != "2" { // the file, and the reload
		t.Errorf("want two changes, not %v:\n%s", changed, reloaded)
	}
	policy := `tandem status --json | grep -o '"policy": "[a-z]*"'`
	lb1.want(policy+"; "+pid, "\"policy\": \"leastconn\"\n"+strings.TrimSpace(before[lb1]))

	// A newer package, and on lb2 the other configuration, too: the backup first, and no
	// request is lost.
	active, backup := lb1, lb2
	if lb2.state() == "active" {
		active, backup = lb2, lb1
	}
	g.bring(deb, filepath.Base(deb))
	g.control.asks()
	upgraded, changed := g.play("--limit balancers")
	if changed == nil {
		t.Fatal(upgraded)
	}
	if got := g.control.answers(); failures(got) > 0 {
		t.Errorf("the upgrade has lost %d of %d requests", failures(got), len(got))
	}
	for _, m := range []*machine{lb1, lb2} {
		m.want("dpkg-query -W -f '${Version}\n' tandem; "+policy, strings.TrimPrefix(tag, "v")+"\n\"policy\": \"leastconn\"")
		if m.run(pid) == before[m] {
			t.Errorf("%s was not restarted", m.name)
		}
	}
	if a, b := strings.Index(upgraded, "changed: ["+active.name+"]"), strings.Index(upgraded, "changed: ["+backup.name+"]"); a < b {
		t.Errorf("%s was active, and is not the last:\n%s", active.name, upgraded)
	}
	backup.untilActive() // it was handed the VIP
	g.secret(upgraded)
}

// secret checks that no key stands in what was printed.
func (g *managed) secret(out string) {
	g.t.Helper()
	for _, name := range []string{"gossip.key", "balancer.key"} {
		for line := range strings.Lines(g.control.run("cat /root/tandem/deploy/ansible/keys/" + name)) {
			if line = strings.TrimSpace(line); line != "" && strings.Contains(out, line) {
				g.t.Errorf("a line of %s was printed", name)
			}
		}
	}
}
