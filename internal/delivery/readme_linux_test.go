package delivery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/guide"
)

// What the README says under Install is done as it stands there, on a bare system, up to a
// balancer that is active. deploy/release.sh has run elsewhere by then.
func TestTheReadmesInstallationIsWordForWord(t *testing.T) {
	readme, err := guide.Read("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	r := theRelease(t)
	m := newMachine(t, "lb1")
	if err := os.MkdirAll(m.path("/root/dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{r.binary, r.deb} { // as deploy/release.sh leaves them
		m.put(file, filepath.Join("/root/dist", filepath.Base(file)), 0o644)
	}
	m.boot()
	m.run("ip link add eth1 type veth peer name far && ip addr add 192.168.42.11/24 dev eth1 && ip link set eth1 up && ip link set far up")
	began := time.Now()
	ran := 0
	for _, b := range readme.Blocks {
		if b.Under != "Install" {
			continue
		}
		for i, line := range b.Lines {
			line = strings.ReplaceAll(line, "1.0.0", strings.TrimPrefix(tag, "v"))
			if line == "deploy/release.sh" || strings.TrimSpace(line) == "" {
				continue
			}
			if strings.HasPrefix(line, "tandem check ") { // "write /etc/tandem/tandem.toml first"
				m.write("/etc/tandem/tandem.toml", debConfig, 0o644)
			}
			at := time.Now()
			if out, err := m.try(`cd /root && sudo() { "$@"; } && ` + line); err != nil {
				t.Fatalf("%s: %q: %v\n%s", b.At(i), line, err, out)
			}
			t.Logf("%6v  %s", time.Since(at).Round(10*time.Millisecond), line)
			ran++
		}
	}
	if ran < 4 {
		t.Errorf("the README has %d commands under Install; was it renamed?", ran)
	}
	m.untilActive()
	t.Logf("%6v  from nothing to active", time.Since(began).Round(10*time.Millisecond))
}
