package testneed_test

import (
	"fmt"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// fake is a test that notes how it ended.
type fake struct{ said string }

func (f *fake) Helper()           {}
func (f *fake) Skip(args ...any)  { f.said += "skip " + fmt.Sprint(args...) }
func (f *fake) Fatal(args ...any) { f.said += "fail " + fmt.Sprint(args...); panic(f) }

func TestWhatIsMissingSkipsAndWhereAllIsRequiredFails(t *testing.T) {
	for require, want := range map[string]string{
		"":    "skip missing: ruby: apt-get install ruby",
		"all": "fail missing: ruby: apt-get install ruby",
	} {
		t.Setenv("TANDEM_TEST_REQUIRE", require)
		f := new(fake)
		func() {
			defer func() { recover() }() // Fatal does not return
			testneed.Missing(f, "%s: apt-get install %[1]s", "ruby")
		}()
		if f.said != want {
			t.Errorf("TANDEM_TEST_REQUIRE=%q: %q, want %q", require, f.said, want)
		}
	}
}
