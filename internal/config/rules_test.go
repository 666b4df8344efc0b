package config

import (
	"slices"
	"strings"
	"testing"
)

const twoRules = `
[[vip]]
address = "192.168.42.42"
[[frontend]]
name   = "http"
listen = ":80"
[[frontend.rule]]
name = "a"
path = ["/a"]
pool = "web"
[[frontend.rule]]
path_prefix = ["/b"]
redirect    = "https://{host}{path}"
[pool.web]
`

func TestRulesAreRead(t *testing.T) {
	cfg, err := Parse("t.toml", []byte(twoRules), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := cfg.Frontends[0].Rules
	if len(r) != 2 || r[0].Name != "a" || r[1].Name != "2" || r[0].Pool != "web" || !slices.Equal(r[1].Prefixes, []string{"/b"}) {
		t.Errorf("%+v", r)
	}
}

// The same rules in another order are another configuration.
func TestTheOrderOfRulesIsAChange(t *testing.T) {
	named := strings.Replace(twoRules, `path_prefix`, "name = \"b\"\npath_prefix", 1)
	first, second := strings.Index(named, "[[frontend.rule]]"), strings.LastIndex(named, "[[frontend.rule]]")
	end := strings.Index(named, "[pool.web]")
	turned := named[:first] + named[second:end] + named[first:second] + named[end:]
	a, err := Parse("t.toml", []byte(named), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("t.toml", []byte(turned), nil)
	if err != nil {
		t.Fatal(err)
	}
	changes := Diff(a, b)
	if len(changes) != 1 || changes[0].String() != "~ frontend.http.rule: [a, b] → [b, a]" || !changes[0].Live {
		t.Errorf("%v", changes)
	}
	if a.Hash() == b.Hash() {
		t.Error("both have the same hash")
	}
}

func TestRulesThatContradictTheirFrontendAreRefused(t *testing.T) {
	for with, want := range map[string]string{
		"mode = \"tcp\"\npool = \"web\"": "rules are about HTTP",
		"redirect = \"https\"":           "so that nothing meets a rule",
	} {
		_, err := Parse("t.toml", []byte(strings.Replace(twoRules, `name   = "http"`, with, 1)), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", with, err)
		}
	}
}
