package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/guide"
	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/testneed"
)

// TestTheMigrationGuide does what deploy/docs/migrate.md says, there and back, in its own
// words, with the keepalived and HAProxy that Debian has.
func TestTheMigrationGuide(t *testing.T) {
	for _, program := range []string{"/usr/sbin/keepalived", "/usr/sbin/haproxy", "/usr/bin/killall", "/usr/bin/curl"} {
		if _, err := os.Stat(program); err != nil {
			testneed.Missing(t, "%s: apt-get install keepalived haproxy psmisc curl", program)
		}
	}
	s := newSite(t)
	m := newMigration(s)
	for _, web := range []string{"web1", "web2", "web3"} {
		s.start(web, "webapp", "--listen", ":3000", "--name", web)
	}
	m.run("lb1", "systemctl start haproxy keepalived")
	m.run("lb2", "systemctl start haproxy keepalived")
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1", "web2", "web3")
	began := time.Now()

	m.loses("preparing", 0, func() {
		m.follow("1. Prepare both hosts", 0, 2)
		m.follow("2. The backup becomes Tandem", 0, 3)
		s.untilState("lb2", "fault")
		m.follow("The way back", 0, 1) // from here, once, and forward again
		m.follow("2. The backup becomes Tandem", 1, 3)
		s.untilState("lb2", "fault")
		s.untilOwnedBy("lb1")
	})
	m.loses("the move", -1, func() {
		m.follow("3. The VIP moves", 0, 1)
		s.untilOwnedBy("lb2")
		m.follow("3. The VIP moves", 1, 2)
	})
	m.loses("the other host", 0, func() {
		m.follow("4. The other host becomes Tandem", 0, 1)
		s.untilState("lb1", "backup")
		s.untilLinked("lb2")
		m.follow("4. The other host becomes Tandem", 1, 2)
		s.untilOwnedBy("lb1")
		s.untilServedBy("web1", "web2", "web3")
	})
	m.follow("The way back", 1, 4)
	s.untilOwnedBy("lb1")
	s.untilServedBy("web1", "web2", "web3")
	if n := s.mostOwners(began); n != 1 {
		t.Errorf("%d owners of the VIP at once", n)
	}
	for _, b := range m.steps.Left() {
		t.Errorf("%s was not run", b.At(0))
	}
}

// migration is a pair of hosts with a systemctl and an /etc of their own.
type migration struct {
	*site
	env   []string
	steps *guide.Steps
}

func newMigration(s *site) *migration {
	s.t.Helper()
	root, err := filepath.Abs("../..")
	m := &migration{site: s}
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(err)
	doc, err := guide.Read(filepath.Join(root, "deploy/docs/migrate.md"))
	must(err)
	m.steps = doc.Steps()
	dir := s.t.TempDir()
	tools := filepath.Join(dir, "bin")
	m.env = append(os.Environ(), "PATH="+tools+":/usr/sbin:/usr/bin:/sbin:/bin", unitsVar+"="+tools+":/lib/systemd/system")
	self, err := os.Executable()
	must(err)
	must(os.Mkdir(tools, 0o755))
	must(os.Symlink(self, filepath.Join(tools, "systemctl")))
	must(os.Symlink(os.Getenv(binaryVar), filepath.Join(tools, "tandem")))
	unit, err := os.ReadFile(filepath.Join(root, "deploy/systemd/tandem.service"))
	must(err)
	here := strings.ReplaceAll(string(unit), "/usr/bin/tandem", os.Getenv(binaryVar))
	must(os.WriteFile(filepath.Join(tools, "tandem.service"), []byte(here), 0o644))
	// There is no sshd: a host's /etc is a folder here.
	scp := fmt.Sprintf("#!/bin/sh\n[ \"$1 $3\" = '-rp lb2:/etc/' ] && exec cp -rp \"$2\" %s/lb2/etc/\n", dir)
	must(os.WriteFile(filepath.Join(tools, "scp"), []byte(scp), 0o755))
	for i, lb := range balancers {
		state := []string{"MASTER", "BACKUP"}[i]
		must(etcOf(filepath.Join(dir, lb, "etc"), map[string]string{
			"haproxy/haproxy.cfg":        guide.OldHAProxy,
			"keepalived/keepalived.conf": guide.OldKeepalived("/usr/bin/killall", "eth0", state, 101-i),
		}))
		m.run(lb, "mount --bind "+filepath.Join(dir, lb, "etc")+" /etc")
	}
	return m
}

// etcOf copies what can be read of the system's /etc to a new folder, without a Tandem's, and
// adds files.
func etcOf(etc string, files map[string]string) error {
	if err := os.MkdirAll(filepath.Dir(etc), 0o755); err != nil {
		return err
	}
	exec.Command("cp", "-a", "/etc", etc).Run() // an ordinary user cannot read all of it, nor has to
	if err := os.RemoveAll(filepath.Join(etc, "tandem")); err != nil {
		return err
	}
	for file, text := range files {
		file = filepath.Join(etc, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// run has a shell in a host do what text says; it ends with the first command that fails.
func (m *migration) run(host, text string) {
	m.t.Helper()
	log := new(logBuffer)
	p, err := m.hosts[host].Start(lab.Command{
		Path: "/bin/bash", Args: []string{"-euo", "pipefail", "-c", text}, Dir: "/", Stdout: log, Stderr: log, Env: m.env,
	})
	if err == nil {
		err = p.Wait()
	}
	m.t.Logf("%s# %s\n%s", host, strings.TrimSpace(text), log.tail())
	if err != nil {
		m.t.Fatalf("%s: %v", host, err)
	}
}

// follow runs the steps that stand under a heading, from the one number to before the other.
func (m *migration) follow(heading string, from, to int) {
	m.t.Helper()
	typed := func(host string, b guide.Block) { m.run(host, b.Text()) }
	if err := m.steps.Follow(heading, from, to, typed); err != nil {
		m.t.Fatal(err)
	}
}

// loses says what became of the requests while f ran; at most so many may fail, if any bound
// is given.
func (m *migration) loses(what string, most int, f func()) {
	m.t.Helper()
	tally := m.load(f)
	m.t.Logf("%s: %d of %d requests failed %v, the slowest took %v", what, tally.Failed, tally.Requests, tally.Kinds, tally.Slowest)
	if most >= 0 && tally.Failed > most {
		m.t.Errorf("%s: %d of %d requests failed: %v; want %d at most", what, tally.Failed, tally.Requests, tally.Kinds, most)
	}
}
