package delivery

import (
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

var source struct {
	sync.Once
	dir string
}

var removeSource = func() {}

// theSource is a repository of this tree's files, as they are, made once for all tests.
func theSource(t *testing.T) (dir string) {
	t.Helper()
	need(t, "git", "git")
	source.Do(func() {
		dir, err := os.MkdirTemp("", "tandem-source-")
		if err != nil {
			t.Fatal(err)
		}
		removeSource = func() { os.RemoveAll(dir) } // by TestMain
		copyTree(t, dir)
		who := []string{
			"GIT_AUTHOR_DATE=" + commitDate, "GIT_COMMITTER_DATE=" + commitDate, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		}
		run(t, dir, who, "git", "init", "-q")
		run(t, dir, who, "git", "add", "-A")
		run(t, dir, who, "git", "commit", "-q", "-m", "all")
		run(t, dir, who, "git", "tag", tag)
		source.dir = dir
	})
	if source.dir == "" {
		t.Fatal("there is no repository; see the first test that wanted it")
	}
	return source.dir
}

func copyTree(t *testing.T, to string) {
	t.Helper()
	for name := range strings.SplitSeq(strings.TrimRight(run(t, "../..", nil, "git", "ls-files", "-z", "-co", "--exclude-standard"), "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join("../..", name))
		if os.IsNotExist(err) { // removed, and not yet committed
			continue
		}
		data, err2 := os.ReadFile(filepath.Join("../..", name))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

// release releases them for this machine's architecture.
func release(t *testing.T, dist string) {
	t.Helper()
	need(t, "dpkg-deb", "dpkg")
	if runtime.GOOS != "linux" {
		testneed.Missing(t, "Linux, whose date, install and touch the script uses")
	}
	run(t, theSource(t), []string{"TZ=Asia/Tokyo", "LANG=C.UTF-8"}, "deploy/release.sh", dist, runtime.GOARCH)
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
			release(t, dir)
		}
		version := strings.TrimPrefix(tag, "v")
		released.files = files{dir, filepath.Join(dir, "tandem_"+version+"_linux_"+runtime.GOARCH), filepath.Join(dir, "tandem_"+version+"_"+runtime.GOARCH+".deb")}
	})
	if released.dir == "" {
		t.Fatal("the release was not made; see the first test that wanted it")
	}
	return released.files
}

func TestTheSumsAreThoseOfTheFiles(t *testing.T) {
	asked(t)
	t.Parallel()
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
	asked(t)
	t.Parallel()
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
	t.Parallel()
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
