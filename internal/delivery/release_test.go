package delivery

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// The version that tests release.
const (
	tag        = "v1.2.3"
	commitDate = "2026-01-02T03:04:05Z"
)

// need skips the test where a program is missing.
func need(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		testneed.Missing(t, "%s: apt-get install %s", program, pkg)
	}
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := command(dir, env, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// release makes a repository of this tree's files, as they are, in a new folder, and releases
// it for this machine's architecture.
func release(t *testing.T, folder string) (dist string) {
	t.Helper()
	need(t, "dpkg-deb", "dpkg")
	need(t, "git", "git")
	if runtime.GOOS != "linux" {
		testneed.Missing(t, "Linux, whose date, install and touch the script uses")
	}
	src := filepath.Join(t.TempDir(), folder)
	for name := range strings.SplitSeq(strings.TrimRight(run(t, "../..", nil, "git", "ls-files", "-z", "-co", "--exclude-standard"), "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join("../..", name))
		if os.IsNotExist(err) { // removed, and not yet committed
			continue
		}
		data, err2 := os.ReadFile(filepath.Join("../..", name))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if err := os.MkdirAll(filepath.Join(src, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), data, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	who := []string{
		"GIT_AUTHOR_DATE=" + commitDate, "GIT_COMMITTER_DATE=" + commitDate, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
	}
	run(t, src, who, "git", "init", "-q")
	run(t, src, who, "git", "add", "-A")
	run(t, src, who, "git", "commit", "-q", "-m", "all")
	run(t, src, who, "git", "tag", tag)
	dist = filepath.Join(src, "dist")
	run(t, src, []string{"TZ=Asia/Tokyo", "LANG=C.UTF-8"}, "deploy/release.sh", dist, runtime.GOARCH)
	return dist
}

// files of the tests' release.
type files struct{ dir, binary, deb string }

// distVar names a folder that keeps the release from one run to the next, for who changes
// these tests; bareVar does so for the bare system.
const distVar = "TANDEM_TEST_DIST"

var removeDist = func() {}

var released struct {
	sync.Once
	files
}

// theRelease is made once for all tests.
func theRelease(t *testing.T) files {
	t.Helper()
	released.Do(func() {
		dir := os.Getenv(distVar)
		if dir == "" {
			var err error
			if dir, err = os.MkdirTemp("", "tandem-dist-"); err != nil {
				t.Fatal(err)
			}
			removeDist = func() { os.RemoveAll(dir) } // by TestMain
		}
		if _, err := os.Stat(filepath.Join(dir, "SHA256SUMS")); err != nil {
			if err := os.CopyFS(dir, os.DirFS(release(t, "first"))); err != nil {
				t.Fatal(err)
			}
		}
		version := strings.TrimPrefix(tag, "v")
		released.files = files{dir, filepath.Join(dir, "tandem_"+version+"_linux_"+runtime.GOARCH), filepath.Join(dir, "tandem_"+version+"_"+runtime.GOARCH+".deb")}
	})
	if released.dir == "" {
		t.Fatal("the release was not made; see the first test that wanted it")
	}
	return released.files
}

func TestAReleaseIsTheSameFromWhateverFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("builds twice")
	}
	first := theRelease(t)
	second := release(t, "in a second place")
	entries, err := os.ReadDir(second)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%v, %v; want a binary, a package, and SHA256SUMS", entries, err)
	}
	for _, e := range entries {
		a, err := os.ReadFile(filepath.Join(first.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(second, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds; diffoscope would say where", e.Name())
		}
		if bytes.Contains(b, []byte("in a second place")) || bytes.Contains(a, []byte(os.TempDir()+"/Test")) {
			t.Errorf("%s holds the path of the folder that it was built in", e.Name())
		}
	}
}

func TestTheSumsAreThoseOfTheFiles(t *testing.T) {
	r := theRelease(t)
	data, err := os.ReadFile(filepath.Join(r.dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s has another sum than SHA256SUMS says", name)
		}
		names = append(names, filepath.Join(r.dir, name))
	}
	if want := []string{r.binary, r.deb}; !slices.Equal(names, want) {
		t.Errorf("SHA256SUMS has %q, want %q", names, want)
	}
}

func TestAReleasedBinarySaysWhatItIs(t *testing.T) {
	r := theRelease(t)
	var v struct {
		Version, Commit, Go, Platform string
		CommitDate                    string `json:"commit_date"`
		Modified                      bool
		Modules                       []struct{ Path, Version, Sum string }
	}
	if err := json.Unmarshal([]byte(run(t, "", nil, r.binary, "version", "--json")), &v); err != nil {
		t.Fatal(err)
	}
	if v.Version != tag || len(v.Commit) != 40 || v.CommitDate != commitDate || v.Modified || v.Go != runtime.Version() ||
		v.Platform != "linux/"+runtime.GOARCH || len(v.Modules) < 10 || !strings.HasPrefix(v.Modules[0].Sum, "h1:") {
		t.Errorf("it says %+v", v)
	}
	if out, err := command("", nil, "ldd", r.binary); err == nil {
		t.Errorf("it is not static: %s", out)
	}
}

func TestTheScriptsAreClean(t *testing.T) {
	need(t, "shellcheck", "shellcheck")
	var scripts []string
	for _, pattern := range []string{"deploy/*.sh", "deploy/*/*.sh", "deploy/deb/p*inst", "deploy/deb/p*rm"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, found, err)
		}
		for _, script := range found {
			scripts = append(scripts, strings.TrimPrefix(script, "../../"))
		}
	}
	if out, err := command("../..", nil, "shellcheck", append([]string{"-x"}, scripts...)...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
