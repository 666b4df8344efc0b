package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/lbcore/route"
)

func sourcesConfig(frontend string) string {
	return "[[vip]]\naddress = \"192.168.42.42\"\n[[frontend]]\nname = \"http\"\nlisten = \":80\"\npool = \"web\"\n" + frontend + "\n[pool.web]\n"
}

func TestRatesAreRead(t *testing.T) {
	for text, want := range map[string]route.Rate{
		"100/s":           {Count: 100, Per: time.Second, Burst: 100},
		"5/m":             {Count: 5, Per: time.Minute, Burst: 5},
		"20/10s burst 50": {Count: 20, Per: 10 * time.Second, Burst: 50},
		"1/h burst 1":     {Count: 1, Per: time.Hour, Burst: 1},
		"7/1500ms":        {Count: 7, Per: 1500 * time.Millisecond, Burst: 7},
		"1000000/s":       {Count: 1_000_000, Per: time.Second, Burst: 1_000_000},
	} {
		cfg := parse(t, sourcesConfig(fmt.Sprintf("source_rate = %q", text)))
		if got := cfg.Frontends[0].Sources.Rate; got == nil || *got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	if s := parse(t, sourcesConfig("")).Frontends[0].Sources; s.Rate != nil || s.MaxConn != 0 || len(s.Allow)+len(s.Deny) != 0 || s.Prefix6 != 64 {
		t.Errorf("by default %+v", s)
	}
}

func TestLimitsThatAreNoGood(t *testing.T) {
	for frontend, want := range map[string]string{
		`source_rate = "fast"`:                                      `"fast" is not a rate`,
		`source_rate = "100"`:                                       `for example "100/s"`,
		`source_rate = "0/s"`:                                       "want 1 to 1000000",
		`source_rate = "1000001/s"`:                                 "want 1 to 1000000",
		`source_rate = "1/s burst 0"`:                               "want 1 to 1000000",
		`source_rate = "1/500ms"`:                                   "want 1s to 1h0m0s",
		`source_rate = "1/2h"`:                                      "want 1s to 1h0m0s",
		`source_rate = "1/999999999h"`:                              "want 1s to 1h0m0s",
		`deny = ["10.0.0.1/8"]`:                                     "10.0.0.1/8 is a host in its network",
		`allow = ["10.0.0.1"]`:                                      `"10.0.0.1" is not a network`,
		"[[frontend.rule]]\nsource = [\"office\"]\nstatus = 403":    `"office" is not a network`,
		"[[frontend.rule]]\nsource_rate = \"1/x\"\npath = [\"/a\"]": `"1/x" is not a rate`,
	} {
		_, err := Parse("t.toml", []byte(sourcesConfig(frontend)), readTestKey)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", frontend, err, want)
		}
	}
}

// A rule for some sources only is no rule for every request.
func TestARuleForSomeSourcesMayStandBeforeOthers(t *testing.T) {
	parse(t, sourcesConfig("[[frontend.rule]]\nsource = [\"10.0.0.0/8\"]\npool = \"web\"\n[[frontend.rule]]\nstatus = 403"))
}

func TestAReloadChangesLimits(t *testing.T) {
	old := parse(t, sourcesConfig("deny = [\"10.0.0.0/8\"]\n[[frontend.rule]]\nname = \"login\"\npath = [\"/login\"]"))
	now := parse(t, sourcesConfig("source_rate = \"10/s\"\nmaxconn = 5\nsource_maxconn = 2\n[[frontend.rule]]\nname = \"login\"\npath = [\"/login\"]\nsource_rate = \"5/m\""))
	var got []string
	for _, c := range Diff(old, now) {
		if got = append(got, c.String()); !c.Live {
			t.Errorf("%s needs a restart", c)
		}
	}
	want := []string{
		`~ frontend.http.deny: ["10.0.0.0/8"] → []`, "~ frontend.http.maxconn: 0 → 5", "~ frontend.http.source_maxconn: 0 → 2",
		`~ frontend.http.source_rate: none → "10/s"`, `~ frontend.http.rule.login.source_rate: none → "5/m"`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the changes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
