// Package testneed says what becomes of a test on a machine that lacks something: it skips, and says
// what is missing and how to get it; where everything must be there, as in CI, it fails.
package testneed

import (
	"fmt"
	"os"
)

// T is as much of testing.TB as is needed, so that no program links package testing.
type T interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// Missing ends the test. The message names what is missing and the remedy. With
// TANDEM_TEST_REQUIRE=all in the environment the test fails, else it skips.
func Missing(t T, format string, args ...any) {
	t.Helper()
	message := "missing: " + fmt.Sprintf(format, args...)
	if os.Getenv("TANDEM_TEST_REQUIRE") == "all" {
		t.Fatal(message)
	}
	t.Skip(message)
}
