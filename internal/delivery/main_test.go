package delivery

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if code, ended := inside(); ended {
		return code
	}
	flag.Parse()
	// They wait for machines and not for a processor.
	if err := flag.Set("test.parallel", "8"); err != nil {
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
