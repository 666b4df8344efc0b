package arch

import (
	"bufio"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheModuleAsksForAnExactGoAndNoToolchain(t *testing.T) {
	mod := read(t, "go.mod")
	if !regexp.MustCompile(`(?m)^go 1\.26\.0$`).MatchString(mod) {
		t.Error("go.mod does not say go 1.26.0: with the .0 an older Go fetches the toolchain by itself")
	}
	if regexp.MustCompile(`(?m)^toolchain`).MatchString(mod) {
		t.Error("go.mod has a toolchain line, which would tie users to one patch release")
	}
	for _, line := range []string{"replace ", "exclude "} {
		if strings.Contains(mod, "\n"+line) {
			t.Errorf("go.mod has a %sline, which go install ignores or refuses", line)
		}
	}
}

// What the top of the repository holds is agreed with the customer.
var (
	agreed = []string{"cmd", "vip", "election", "lbcore", "membership", "deploy", "Vagrantfile", "go.mod", "README.md"}
	needed = []string{"go.sum", "internal", ".ci", ".github", ".gitignore", "LICENSE"}
)

func TestTheTopOfTheRepositoryIsAsAgreed(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if known := slices.Contains(agreed, e.Name()) || slices.Contains(needed, e.Name()) || e.Name() == ".git"; !known && !ignored(t, e.Name()) {
			t.Errorf("%s has no place at the top", e.Name())
		}
	}
	for _, name := range slices.Concat(agreed, needed) {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing at the top", name)
		}
	}
}

// ignored tells whether git ignores a name at the top.
func ignored(t *testing.T, name string) bool {
	lines := bufio.NewScanner(strings.NewReader(read(t, ".gitignore")))
	for lines.Scan() {
		pattern := strings.Trim(strings.TrimSpace(lines.Text()), "/")
		if match, err := path.Match(pattern, name); err == nil && match && !strings.HasPrefix(pattern, "#") {
			return true
		}
	}
	return false
}

// The first two commands are all that a fresh machine with Go needs; the third boots systems, as root.
func TestReadmeAndCIHoldTheSameCommands(t *testing.T) {
	commands := []string{"go run ./cmd/tandem demo", "go test ./...", "TANDEM_TEST_SYSTEMS=1 go test -timeout 25m ./internal/delivery"}
	for _, file := range []string{"README.md", ".ci/run"} {
		text := read(t, file)
		for _, command := range commands {
			if !regexp.MustCompile(`(?m)^\s*(step "[^"]*" (env )?)?` + regexp.QuoteMeta(command) + `$`).MatchString(text) {
				t.Errorf("%s has no line %q", file, command)
			}
		}
	}
}

func TestTheVagrantfileIsRuby(t *testing.T) {
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		testneed.Missing(t, "ruby: apt-get install ruby")
	}
	if out, err := exec.Command(ruby, "-c", filepath.Join(root, "Vagrantfile")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheCIScriptIsBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		testneed.Missing(t, "bash: apt-get install bash")
	}
	if out, err := exec.Command(bash, "-n", filepath.Join(root, ".ci/run")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
