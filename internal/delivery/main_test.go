package delivery

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// systemsVar asks for the tests that build a release and boot systems, which take both processors
// for minutes.
const systemsVar = "TANDEM_TEST_SYSTEMS"

func isAsked() bool { return os.Getenv(systemsVar) == "1" }

// asked skips a test that nobody has asked for, which is no lack: so whatever TANDEM_TEST_REQUIRE says.
func asked(t *testing.T) {
	t.Helper()
	if !isAsked() {
		t.Skip("not asked for: it builds a release or boots systems; as root, " + systemsVar + "=1 go test -timeout 25m ./internal/delivery")
	}
}

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if code, ended := inside(); ended {
		return code
	}
	flag.Parse()
	// Half of the time they wait for machines and not for a processor; but a machine that boots
	// wants one for two seconds.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	defer func() {
		removeDist()
		removeSource()
		removeBare()
	}()
	return m.Run()
}

// command runs a program and returns what it printed; an error has what it complained of.
func command(dir string, env []string, name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	var out, complaints strings.Builder
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.String(), complaints.String())
	}
	return out.String(), nil
}
