package vip_test

import (
	"os"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/lab"
)

func TestMain(m *testing.M) {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.fuzzworker") {
			os.Exit(m.Run()) // it talks to its parent over inherited descriptors, and needs no lab
		}
	}
	os.Exit(lab.TestMain(m))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
