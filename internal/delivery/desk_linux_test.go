package delivery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/guide"
)

// A desk is a furnished system that is entered and not booted, as by somebody who has logged
// in there: with this machine's network, and its Go with all that it has built before.
type desk struct {
	t     *testing.T
	root  string
	binds []string // files and folders of this machine that are there under the same names
	env   []string
	user  string // of the command, in numbers
	took  time.Duration
}

// enter makes a root file system the root of a mount namespace. A chroot would not do: in one
// nobody may make user namespaces.
const enter = `set -e; cd "$ROOT"; mount -t proc proc proc; mount -t sysfs sys sys; mount --rbind /dev dev
for bind in $BINDS; do
	if [ -d "$bind" ]; then mkdir -p ".$bind"; else mkdir -p ".${bind%/*}"; : > ".$bind"; fi
	mount --rbind "$bind" ".$bind"
done
cp /etc/resolv.conf /etc/hosts etc/; chmod 711 root
pivot_root . mnt; cd "$FOLDER"; umount -l /mnt
exec setpriv --reuid="$AS" --regid="$AS" --clear-groups bash -euo pipefail -c 'sudo() { "$@"; }; '"$COMMAND"`

func newDesk(t *testing.T, name string, binds ...string) *desk {
	t.Helper()
	d := &desk{t: t, root: overlay(t, name, furnishedSystem(t)), user: "0"}
	goEnv := strings.Fields(run(t, "", nil, "go", "env", "GOROOT", "GOMODCACHE", "GOCACHE"))
	d.binds = append(binds, goEnv[0], goEnv[1])
	d.env = []string{
		"HOME=/root", "PATH=" + goEnv[0] + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
		"GOMODCACHE=" + goEnv[1], "GOCACHE=" + d.cache(goEnv[2]),
		"GOFLAGS=" + strings.TrimSpace(run(t, "", nil, "go", "env", "GOFLAGS")), "CGO_ENABLED=0", // there is no C compiler
		"GOPROXY=off", "GOTOOLCHAIN=local",
	}
	return d
}

// cache lays an empty folder over this machine's build cache, in which whoever sits at the
// desk may write.
func (d *desk) cache(of string) string {
	d.t.Helper()
	const place = "/var/cache/go-build"
	dir := d.root + ".cache"
	// The folders of the layer above say who may write.
	run(d.t, "", nil, "sh", "-ec", `mkdir -p "$1/upper" "$1/work" "$2"; cd "$1/upper"; chmod 777 .
for a in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do for b in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do mkdir -m 777 $a$b; done; done
mount -t overlay -o "lowerdir=$3,upperdir=$1/upper,workdir=$1/work" go-build "$2"`, "sh", dir, d.root+place, of)
	return place
}

// run types a command in a folder of the desk, where sudo has nothing to do, and prints how long
// it took.
func (d *desk) run(folder, command string) string {
	d.t.Helper()
	out, err := d.try(folder, command)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d *desk) try(folder, line string) (string, error) {
	began := time.Now()
	env := append([]string{"ROOT=" + d.root, "BINDS=" + strings.Join(d.binds, " "), "FOLDER=" + folder, "AS=" + d.user, "COMMAND=" + line}, d.env...)
	out, err := command("", env, "unshare", "--mount", "sh", "-c", enter)
	d.took += time.Since(began)
	d.t.Logf("%6v  %s", time.Since(began).Round(10*time.Millisecond), line)
	return out, err
}

// path is where a file of the desk is seen from here.
func (d *desk) path(name string) string { return filepath.Join(d.root, name) }

// commands are the lines of a document's blocks under a heading that are typed as they stand;
// a line that ends with a backslash has the next one with it.
func commands(t *testing.T, file, under string) (lines []string) {
	t.Helper()
	doc, err := guide.Read(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range doc.Blocks {
		if b.Under != under || b.TOML() {
			continue
		}
		for l := range strings.SplitSeq(strings.ReplaceAll(b.Text(), "\\\n", " "), "\n") {
			if strings.TrimSpace(l) != "" {
				lines = append(lines, l)
			}
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s has no commands under %q; was it renamed?", file, under)
	}
	return lines
}

// clone makes a clone of the repository's files in a new folder.
func clone(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "", nil, "git", "clone", "-q", theSource(t), folder)
}
