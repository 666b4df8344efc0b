package delivery

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A planned machine is one of the Vagrantfile.
type planned struct {
	Name, Hostname string
	Addresses      []string
	Steps          []struct {
		Kind, Source, Destination, Path string
		Args                            []string
	}
}

// vagrantTree is a copy of what Vagrant reads, with the package in its place.
func vagrantTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	deb := theRelease(t).deb
	if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS("../../deploy")); err != nil {
		t.Fatal(err)
	}
	run(t, "", nil, "cp", "../../Vagrantfile", dir)
	run(t, "", nil, "install", "-D", deb, filepath.Join(dir, "dist", filepath.Base(deb)))
	return dir
}

// provision does on the machine what the Vagrantfile asks for, in its order.
func (p planned) provision(tree string, m *machine) {
	m.t.Helper()
	for i, step := range p.Steps {
		source := step.Source
		if !filepath.IsAbs(source) {
			source = filepath.Join(tree, source)
		}
		switch step.Kind {
		case "file":
			run(m.t, "", nil, "cp", source, "/proc/"+m.pid()+"/root"+step.Destination)
		case "shell":
			run(m.t, "", nil, "cp", filepath.Join(tree, step.Path), "/proc/"+m.pid()+"/root/tmp/vagrant-shell")
			m.run("chmod +x /tmp/vagrant-shell && /tmp/vagrant-shell '" + strings.Join(step.Args, "' '") + "'")
		default:
			m.t.Fatalf("step %d of %s is %q, which this test does not know", i, p.Name, step.Kind)
		}
	}
}

func TestTheVagrantfileMakesASiteThatServes(t *testing.T) {
	asked(t)
	t.Parallel()
	need(t, "ruby", "ruby")
	tree := vagrantTree(t)
	var plan []planned
	if err := json.Unmarshal([]byte(run(t, "", nil, "ruby", "testdata/plan.rb", filepath.Join(tree, "Vagrantfile"))), &plan); err != nil {
		t.Fatal(err)
	}
	wire := newSegment(t)
	machines := map[string]*machine{}
	for _, p := range plan {
		machines[p.Name] = newMachine(t, p.Name)
		machines[p.Name].powerOn()
	}
	for _, p := range plan {
		m := machines[p.Name]
		m.untilBooted()
		wire.plug(m, p.Addresses[0])
	}
	for _, p := range plan {
		began := time.Now()
		p.provision(tree, machines[p.Name])
		t.Logf("%s provisioned in %v", p.Name, time.Since(began).Round(10*time.Millisecond))
	}

	client := machines["client"]
	seen := map[string]bool{}
	client.until("all three apps have answered at the VIP", func() (bool, string) {
		out, err := client.try("curl -sf -m 1 -D - -o /dev/null http://192.168.42.42/ | tr -d '\\r' | sed -n 's/^X-Served-By: //ip'")
		if err == nil {
			seen[strings.TrimSpace(out)] = true
		}
		return seen["web1"] && seen["web2"] && seen["web3"], out
	})
	active := map[bool]string{true: "lb1", false: "lb2"}
	isActive := func(name string) bool { return machines[name].state() == "active" }
	owner, other := active[isActive("lb1")], active[!isActive("lb1")]
	machines[owner].run("curl -sf -m 5 http://10.0.2.15:1936/ | grep -q Tandem") // the port that is forwarded

	// The power of the active goes, and comes back.
	machines[owner].powerOff()
	client.until("the client is served again", func() (bool, string) {
		out, err := client.try("curl -sf -m 1 http://192.168.42.42/")
		return err == nil, out
	})
	machines[other].untilActive() // it says so a moment after it is
	machines[owner].boot()
	wire.plug(machines[owner], map[string]string{"lb1": "192.168.42.11", "lb2": "192.168.42.12"}[owner])
	machines[owner].untilIs("backup")

	// Provisioning may be run again.
	for _, p := range plan {
		if p.Name == owner {
			p.provision(tree, machines[owner])
		}
	}
	client.run("curl -sf -m 5 http://192.168.42.42/")

	demonstrate(t, tree, machines)
}

// vagrantStub is as much of Vagrant as deploy/demo/failover.sh asks for. Each machine is
// reached by the number of its process 1; the client's shell is not forked, so that it ends
// as ssh does when it is told to.
const vagrantStub = `#!/bin/sh
enter="nsenter -t $(cat "$MACHINES/$2") -m -u -i -n -p -r -w"
case "$1 $3 $4 $5" in
"status   ") echo running ;;
"ssh --no-tty -c bash") exec $enter -F bash ;;
"ssh --no-tty -c sudo "*) exec $enter sh -c "${5#sudo }" ;;
*) echo "vagrant $*: not in this stub" >&2 && exit 1 ;;
esac
`

// demonstrate has deploy/demo/failover.sh harm the machines.
func demonstrate(t *testing.T, tree string, machines map[string]*machine) {
	t.Helper()
	bin, pids := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "vagrant"), []byte(vagrantStub), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, m := range machines {
		if err := os.WriteFile(filepath.Join(pids, name), []byte(m.pid()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	steps := strings.Fields(cmp.Or(os.Getenv(stepsVar), "disconnect"))
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "MACHINES=" + pids}
	out := run(t, tree, env, filepath.Join(tree, "deploy/demo/failover.sh"), append([]string{"vagrant"}, steps...)...)
	t.Log("\n" + out)
	if rows := failoverRow.FindAllStringSubmatch(out, -1); len(rows) != len(steps) || rows[0][2] == rows[0][3] || rows[0][6] == "0" {
		t.Errorf("the table has %q, want %d rows in which the active moves and somebody asks", rows, len(steps))
	}
	for file, want := range map[string]string{"vagrant-status": "running", "members": "lb1", "backends": "192.168.42.", "haproxy.cfg": "server ", "lb1.log": "tandem", "web3.log": "tandem"} {
		data, err := os.ReadFile(filepath.Join(tree, "logs", steps[0], file))
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("logs/%s/%s has no %q (%v):\n%s", steps[0], file, want, err, data)
		}
	}
}

// stepsVar names the steps of the demonstration; CI is content with one.
const stepsVar = "TANDEM_TEST_STEPS"

func TestVagrantAcceptsTheVagrantfile(t *testing.T) {
	asked(t)
	t.Parallel()
	need(t, "vagrant", "vagrant")
	tree := vagrantTree(t)
	env := []string{"VAGRANT_HOME=" + t.TempDir(), "VAGRANT_CHECKPOINT_DISABLE=1", "VAGRANT_NO_COLOR=1"}
	if out := run(t, tree, env, "vagrant", "validate", "--ignore-provider"); !strings.Contains(out, "validated successfully") {
		t.Errorf("vagrant says %q", out)
	}
}
