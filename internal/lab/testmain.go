package lab

import (
	"os"
	"slices"
	"strings"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// preflight is what TestMain found; Need reports it.
var preflight error

// TestMain runs a package's tests inside a lab's namespaces: call it as
//
//	func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }
//
// When no lab can be built here the tests run outside, and those that call Need skip. So does go test -fuzz,
// whose workers speak with their parent over descriptors that Enter does not pass on.
func TestMain(m interface{ Run() int }) int {
	Init()
	if slices.ContainsFunc(os.Args, isFuzzing) {
		return m.Run()
	}
	if preflight = Preflight(); preflight != nil {
		return m.Run()
	}
	inside, code, err := Enter()
	if inside {
		return m.Run()
	}
	if preflight = err; err != nil {
		return m.Run()
	}
	return code
}

func isFuzzing(arg string) bool {
	return strings.HasPrefix(arg, "-test.fuzz=") || strings.HasPrefix(arg, "-test.fuzzworker")
}

// Need ends the test with one line, the cause and the remedy, when no lab can be built here (testneed.Missing).
func Need(t testneed.T) {
	t.Helper()
	if preflight != nil {
		testneed.Missing(t, "a lab: %v", preflight)
	}
}
