package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tandem-lb/tandem/internal/lab"
)

// binaryVar names the environment variable with the path of the tandem under test. It is
// set by the outer process, which builds it, for the one inside the lab.
const binaryVar = "TANDEM_E2E_BINARY"

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	lab.Init()
	if filepath.Base(os.Args[0]) == "systemctl" {
		return systemctl(os.Args[1:])
	}
	if os.Getenv(binaryVar) == "" {
		dir, err := os.MkdirTemp("", "tandem-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "tandem")
		build := exec.Command("go", "build", "-o", binary, "github.com/tandem-lb/tandem/cmd/tandem")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build tandem:", err)
			return 1
		}
		os.Setenv(binaryVar, binary)
	}
	return lab.TestMain(m)
}
