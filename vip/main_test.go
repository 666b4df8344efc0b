package vip_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/tandem-lb/tandem/internal/lab"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	flag.Set("test.parallel", "8") // these tests mostly wait: for a kernel, a lease, a silence
	os.Exit(lab.TestMain(m))
}

// roleVariable makes this binary play a part in place of running tests.
const roleVariable = "VIP_TEST_ROLE"

// play is the part; only Linux has one.
var play func(role string) error

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
