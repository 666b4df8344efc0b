package delivery

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/guide"
)

// yourDesk is a bare system where an ordinary user with Go has a clone.
func yourDesk(t *testing.T, name string) *desk {
	t.Helper()
	d := newDesk(t, name)
	d.user = "1000"
	clone(t, d.path("/home/you/in another place"))
	run(t, "", nil, "chown", "-R", "1000:1000", d.path("/home/you"))
	d.env = append(d.env, "HOME=/home/you")
	return d
}

// What the README says for who has Go and a clone. The demo counts failures and milliseconds, so no other
// test runs beside it. Something else may, and the demo says so, that the machine was busy: then what it
// says of the site is no matter here. (.ci/run has the demo to itself, too, and there it is.)
func TestTheReadmesFirstMinuteIsWordForWord(t *testing.T) {
	asked(t)
	d := yourDesk(t, "desk")
	for _, line := range commands(t, "README.md", "See it in a minute") {
		if out, err := d.try("/home/you/in another place", line); err != nil && !strings.Contains(fmt.Sprint(out, err), "This machine was busy") {
			t.Fatal(err)
		}
	}
	t.Logf("%6v  in all", d.took.Round(10*time.Millisecond))
}

// The README's release is also the second one that has to be the same: made in another folder, by
// another user, on another root file system.
func TestTheReadmesReleaseIsTheSame(t *testing.T) {
	asked(t)
	t.Parallel()
	first := theRelease(t)
	d := yourDesk(t, "bench")
	d.run("/home/you/in another place", commands(t, "README.md", "Install")[0])
	t.Logf("%6v  in all", d.took.Round(10*time.Millisecond))

	entries, err := os.ReadDir(d.path("/home/you/in another place/dist"))
	if err != nil || len(entries) != 5 {
		t.Fatalf("%v, %v; want two binaries, two packages, and SHA256SUMS", entries, err)
	}
	for _, file := range []string{first.binary, first.deb} {
		a, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(d.path(filepath.Join("/home/you/in another place/dist", filepath.Base(file))))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds; diffoscope would say where", filepath.Base(file))
		}
		if bytes.Contains(b, []byte("in another place")) || bytes.Contains(a, []byte(theSource(t))) {
			t.Errorf("%s holds the path of the folder that it was built in", filepath.Base(file))
		}
	}
}

// What the README says from Install to Operate it is done as it stands there, on bare systems:
// two balancers and a host with an app.
func TestTheReadmeIsWordForWord(t *testing.T) {
	asked(t)
	t.Parallel()
	r := theRelease(t)
	wire := newSegment(t)
	machines := map[string]*machine{}
	for _, name := range []string{"lb1", "lb2", "web1"} {
		m := newMachine(t, name)
		for _, file := range []string{r.binary, r.deb} { // as deploy/release.sh leaves them
			m.put(file, filepath.Join("/root/dist", filepath.Base(file)), 0o644)
		}
		m.write("/usr/local/bin/node", "#!/bin/sh\nexec tandem webapp --listen :3000\n", 0o755) // instead of an app of yours
		m.powerOn()
		machines[name] = m
	}
	for name, address := range map[string]string{"lb1": "192.168.42.11", "lb2": "192.168.42.12", "web1": "192.168.42.21"} {
		machines[name].untilBooted()
		wire.plug(machines[name], address)
	}
	lb1, lb2, web1 := machines["lb1"], machines["lb2"], machines["web1"]
	began := time.Now()
	conf := theReadmesFile(t)
	for _, line := range commands(t, "README.md", "Install")[1:] {
		if strings.HasPrefix(line, "tandem check ") { // "write /etc/tandem/tandem.toml first"
			lb1.write("/etc/tandem/tandem.toml", conf, 0o644)
			lb1.typed("cd /etc/tandem && tandem keygen")
		}
		lb1.typed(line)
	}
	lb1.untilActive()
	t.Logf("%6v  from nothing to active", time.Since(began).Round(10*time.Millisecond))

	for _, m := range []*machine{lb2, web1} {
		m.typed("sudo apt-get install ./dist/tandem_*_amd64.deb")
	}
	for _, m := range []*machine{lb2, web1} {
		for file := range map[string]bool{"gossip.key": true, "balancer.key": m == lb2} {
			m.put(lb1.path("/etc/tandem/"+file), "/etc/tandem/"+file, 0o600)
		}
	}
	lb2.write("/etc/tandem/tandem.toml", conf, 0o644)
	lb2.run("systemctl start tandem")
	keyed := web1.background("tandem agent --pool web --port 3000 --join 192.168.42.42 --gossip-key-file /etc/tandem/gossip.key -- node server.js")
	web1.untilServed()
	for _, line := range commands(t, "README.md", "Operate it") {
		lb1.typed(line)
	}
	keyed()
	for _, m := range []*machine{lb1, lb2} {
		m.run("systemctl stop tandem")
	}

	for _, line := range commands(t, "README.md", "Run it") {
		if strings.HasPrefix(line, "tandem lb ") {
			defer lb1.background(line)()
			defer lb2.background(line)()
		} else {
			defer web1.background(line)()
		}
	}
	web1.untilServed()
	t.Logf("%6v  in all", time.Since(began).Round(10*time.Millisecond))
}

// theReadmesFile is the file that stands in it.
func theReadmesFile(t *testing.T) string {
	t.Helper()
	readme, err := guide.Read("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range readme.Blocks {
		if b.TOML() {
			return b.Text()
		}
	}
	t.Fatal("there is no configuration in the README")
	return ""
}

// typed runs a line as root in root's home, where sudo has nothing to do, and prints how long
// that took.
func (m *machine) typed(line string) {
	m.t.Helper()
	began := time.Now()
	m.run("set -e; cd /root; sudo() { \"$@\"; }\n" + line)
	m.t.Logf("%6v  %s# %s", time.Since(began).Round(10*time.Millisecond), m.name, line)
}

// background runs a line until it is told to end, as Ctrl-C does.
func (m *machine) background(line string) (end func()) {
	m.t.Helper()
	c := exec.Command("nsenter", "-t", m.pid(), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "sh", "-c", "exec "+line)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Logf("        %s# %s", m.name, line)
	return func() {
		m.t.Helper()
		for child := range strings.FieldsSeq(childrenOf(c.Process.Pid)) { // nsenter passes no signal on
			if pid, err := strconv.Atoi(child); err == nil {
				syscall.Kill(pid, syscall.SIGINT)
			}
		}
		if err := c.Wait(); err != nil {
			m.t.Errorf("%s: %s: %v\n%s", m.name, line, err, said.String())
		}
	}
}

// untilServed waits until the VIP answers.
func (m *machine) untilServed() {
	m.t.Helper()
	m.until("the VIP serves", func() (bool, string) {
		out, err := m.try("curl -sf -m 1 http://192.168.42.42/")
		return err == nil, out
	})
}
