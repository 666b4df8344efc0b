package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseOn(t *testing.T, node, text string) *Config {
	t.Helper()
	cfg := parse(t, text)
	if err := cfg.Apply(Overrides{Name: node}); err != nil {
		t.Fatal(err)
	}
	return cfg
}

const diffBase = `
[cluster]
join = ["192.168.42.11"]
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
backends = ["10.0.0.1:80"]
[node.lb1]
priority = 120
[node.lb2]
priority = 90
`

func TestADiffNamesEachKeyAndWhetherAReloadSuffices(t *testing.T) {
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(diffBase) }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                {diffBase, nil},
		"comments and defaults":  {diffBase + "# one\n[proxy]\ntimeout = \"1s\"\n", nil},
		"another node":           {edit("priority = 90", "priority = 91\ninterface = \"eth9\""), nil},
		"this node":              {edit("priority = 120", "priority = 121"), []string{"~ node.lb1.priority: 120 → 121"}},
		"this node's interface":  {edit("priority = 120", "priority = 120\ninterface = \"eth9\""), []string{"~ node.lb1.interface:  → eth9  (needs a restart)"}},
		"a value":                {edit(`["10.0.0.1:80"]`, `["10.0.0.2:80"]`), []string{`~ pool.web.backends: ["10.0.0.1:80"] → ["10.0.0.2:80"]`}},
		"a default written over": {edit(`listen = ":80"`, "listen = \":80\"\nidle_timeout = \"30s\""), []string{`~ frontend.:80.idle_timeout: "1m" → "30s"`}},
		"tables":                 {edit("[pool.web]", "[pool.api]\n[pool.web]") + "[[frontend]]\nlisten = \":81\"\npool = \"api\"\n", []string{"+ frontend.:81", "+ pool.api"}},
		"a frontend instead":     {edit(`":80"`, `":81"`), []string{"+ frontend.:81", "- frontend.:80"}},
		"a VIP":                  {diffBase + "[[vip]]\naddress = \"192.168.42.43\"\n", []string{"+ vip.192.168.42.43  (needs a restart)"}},
		"a hook": {
			diffBase + "[[hook]]\nevents = [\"fault\"]\ncommand = [\"/bin/page\"]\n", []string{"+ hook.page"},
		},
		"a template": {
			diffBase + "[[template]]\nsource = \"/a.tmpl\"\ntarget = \"/a.cfg\"\n", []string{"+ template./a.cfg"},
		},
		"encryption": {
			edit("[cluster]", "[cluster]\ngossip_key_file = \"gossip.key\""),
			[]string{`~ cluster.gossip_key_file: none → "gossip.key"  (needs a restart)`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, change := range Diff(parseOn(t, "lb1", diffBase), parseOn(t, "lb1", c.text)) {
				got = append(got, change.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("- want, + got:\n%s", diff)
			}
		})
	}
}

func TestOtherKeysInAKeyFileAreAChange(t *testing.T) {
	text := strings.Replace(diffBase, "[cluster]", "[cluster]\nbalancer_key_file = \"balancer.key\"", 1)
	old, new := parseOn(t, "lb1", text), parseOn(t, "lb1", text)
	new.Cluster.BalancerKeys = [][]byte{[]byte("another key, of 24 bytes")}
	got := Diff(old, new)
	if len(got) != 1 || got[0].String() != "~ cluster.balancer_key_file: the file holds something else" || !got[0].Live {
		t.Errorf("got %v", got)
	}
	if old.Hash() != new.Hash() {
		t.Error("the keys themselves go into the hash, which everybody may see")
	}
}

func TestHooksAndTemplatesAreKnownByTheirNamesAndChangeLive(t *testing.T) {
	const text = diffBase + `
[[hook]]
name = "first"
events = ["fault"]
command = ["/bin/first"]
[[hook]]
name = "second"
events = ["fault"]
command = ["/bin/second"]
[[template]]
source = "/etc/a.tmpl"
target = "/etc/a.cfg"
`
	edit := func(from, to string) string { return strings.Replace(text, from, to, 1) }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"the first is removed": {edit("[[hook]]\nname = \"first\"\nevents = [\"fault\"]\ncommand = [\"/bin/first\"]\n", ""), []string{"- hook.first"}},
		"a command":            {edit("/bin/second", "/bin/other"), []string{`~ hook.second.command: ["/bin/second"] → ["/bin/other"]`}},
		"a check":              {edit(`"/etc/a.cfg"`, "\"/etc/a.cfg\"\nkeep = 0"), []string{"~ template./etc/a.cfg.keep: 3 → 0"}},
		"another file":         {edit(`"/etc/a.cfg"`, `"/etc/b.cfg"`), []string{"+ template./etc/b.cfg", "- template./etc/a.cfg"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, change := range Diff(parseOn(t, "lb1", text), parseOn(t, "lb1", c.text)) {
				got = append(got, change.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("- want, + got:\n%s", diff)
			}
		})
	}

	old, new := parseOn(t, "lb1", text), parseOn(t, "lb1", text)
	new.Templates[0].Sum = "another"
	got := Diff(old, new)
	if len(got) != 1 || got[0].String() != "~ template./etc/a.cfg.source: the file holds something else" || !got[0].Live {
		t.Errorf("its source says something else: %v", got)
	}
	if was, is := old.Templates[0].Version(), new.Templates[0].Version(); was == is {
		t.Error("its source says something else, and it has the same version")
	}
}

func TestAllNodesAgreeOnTheHashOfOneFile(t *testing.T) {
	hash := parseOn(t, "lb1", diffBase).Hash()
	if other := parseOn(t, "lb2", "# a comment\n"+diffBase+"[proxy]\ntimeout = \"1s\"\n").Hash(); other != hash {
		t.Errorf("lb2 has %s, lb1 %s: it differs by a comment and a default", other, hash)
	}
	for _, text := range []string{
		strings.Replace(diffBase, "priority = 90", "priority = 91", 1), strings.Replace(diffBase, ":80", ":81", 1), diffBase + "[pool.x]\n",
	} {
		if other := parseOn(t, "lb1", text).Hash(); other == hash {
			t.Errorf("the hash is the same for another file:\n%s", text)
		}
	}
}
