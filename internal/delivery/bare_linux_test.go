package delivery

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// bare are the packages of a bare system beyond Debian's minimum: what every machine that
// Debian's installer or a Vagrant box makes has, too.
const bare = "systemd,systemd-sysv,dbus,iproute2,iputils-ping,procps,ca-certificates,curl,nftables"

// furniture is what documents other than the README's installation begin with: a pair of
// keepalived and HAProxy, hosts that Ansible reaches, a clone, a client of Docker.
const furniture = "keepalived haproxy psmisc openssh-server openssh-client python3-apt ansible-core git docker-compose"

// bareVar names a file that keeps the bare systems from one run to the next, for who changes
// these tests: TANDEM_TEST_SYSTEMS=1 TANDEM_TEST_BARE=/tmp/bare.tar go test ./internal/delivery.
const bareVar = "TANDEM_TEST_BARE"

// bareSystems are in memory: what dpkg writes with fsync would take minutes on a disk.
var bareSystems struct {
	memory, bare, furnished sync.Once
	dir                     string // empty: there is none
	isBare, isFurnished     bool
}

// What all begin with is made first, both at a time: the systems wait for downloads, the release for
// the compiler. A test that runs on its own makes what it needs.
func TestBareSystemsAndTheReleaseAreMade(t *testing.T) {
	asked(t)
	t.Run("systems", func(t *testing.T) { t.Parallel(); furnishedSystem(t) })
	t.Run("release", func(t *testing.T) { t.Parallel(); theRelease(t) })
}

// bareSystem makes the root file system that all machines begin with, once, and returns its
// one layer.
func bareSystem(t *testing.T) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		testneed.Missing(t, "root, to boot systems")
	}
	need(t, "mmdebstrap", "mmdebstrap")
	need(t, "systemd-nspawn", "systemd-container")
	s := &bareSystems
	s.memory.Do(func() {
		dir, err := os.MkdirTemp("", "tandem-bare-") // TestMain removes it
		if err == nil {
			err = unix.Mount("tandem", dir, "tmpfs", 0, "size=6g,mode=755")
		}
		if err != nil {
			t.Fatal(err)
		}
		s.dir = dir
	})
	layer := filepath.Join(s.dir, "bare")
	s.bare.Do(func() {
		s.isBare = kept(t, layer, "", func() {
			run(t, "", nil, "mmdebstrap", "--quiet", "--variant=minbase", "--include="+bare, "bookworm", layer)
		})
	})
	if !s.isBare {
		t.Fatal("there is no bare system; see the first test that wanted it")
	}
	return []string{layer}
}

// furnishedSystem adds a second layer, once, in which what Debian has enabled is not.
func furnishedSystem(t *testing.T) []string {
	t.Helper()
	below := bareSystem(t)
	s := &bareSystems
	layer := filepath.Join(s.dir, "furnished")
	s.furnished.Do(func() {
		s.isFurnished = kept(t, layer, ".furnished", func() {
			root := overlayOn(t, layer, below)
			defer unix.Unmount(root, unix.MNT_DETACH)
			in := func(script string) { run(t, "", nil, "chroot", root, "sh", "-ec", script) }
			in("export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; apt-get install -qq --no-install-recommends " + furniture + "; apt-get clean; rm -rf /var/lib/apt/lists/*") // which each apt would read
			in("systemctl disable keepalived haproxy; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; echo 'StrictHostKeyChecking no' > /root/.ssh/config")
		})
	})
	if !s.isFurnished {
		t.Fatal("there is no furnished system; see the first test that wanted it")
	}
	return []string{layer, below[0]}
}

// kept has a layer made, or takes it from the file that keeps it.
func kept(t *testing.T, layer, suffix string, build func()) bool {
	t.Helper()
	began := time.Now()
	if err := os.Mkdir(layer, 0o755); err != nil {
		t.Fatal(err)
	}
	file := os.Getenv(bareVar)
	if file != "" {
		file += suffix
	}
	if _, err := os.Stat(file); err == nil {
		run(t, layer, nil, "tar", "--numeric-owner", "--xattrs", "-xpf", file)
		return true
	}
	build()
	if file != "" {
		run(t, layer, nil, "tar", "--numeric-owner", "--xattrs", "-cf", file, ".")
	}
	t.Logf("%s took %v", filepath.Base(layer), time.Since(began).Round(time.Second))
	return true
}

// overlay makes a disk of its own on layers, for one test, and returns its root.
func overlay(t *testing.T, name string, layers []string) (root string) {
	t.Helper()
	dir := filepath.Join(bareSystems.dir, fmt.Sprintf("%s-%s", strings.ReplaceAll(t.Name(), "/", "-"), name))
	root = overlayOn(t, filepath.Join(dir, "upper"), layers)
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return root
}

// overlayOn mounts layers with a folder above them, in which all changes come to lie.
func overlayOn(t *testing.T, upper string, layers []string) (root string) {
	t.Helper()
	root = filepath.Join(filepath.Dir(upper), "root")
	work := upper + ".work"
	for _, d := range []string{upper, work, root} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(layers, ":"), upper, work)
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	return root
}

// removeBare ends the bare systems after all tests.
func removeBare() {
	if bareSystems.dir != "" {
		unix.Unmount(bareSystems.dir, unix.MNT_DETACH)
		os.Remove(bareSystems.dir)
	}
}
