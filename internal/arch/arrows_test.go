package arch

import (
	"slices"
	"strings"
	"testing"
)

// part is one part of the house, with all folders below it, and the parts it
// may import. Inside a part everything is allowed.
type part struct {
	name string
	may  []string
	why  string
}

var parts = []part{
	{
		"cmd/tandem",
		[]string{
			"internal/keeper", "internal/control", "internal/proxy", "internal/runner", "internal/agent", "internal/api", "internal/config",
			"internal/hook", "internal/render", "internal/lab", "internal/demo", "internal/doctor", "internal/importer", "internal/webapp", "internal/paint", "lbcore/route",
		},
		"flags and exit codes only: it starts what internal packages do",
	},
	{"cmd/webapp", []string{"internal/webapp"}, "three lines around internal/webapp"},

	{"election", nil, "pure: who is active depends on nothing but what it is told"},
	{"membership", nil, "a package of its own value: memberlist, wrapped once"},
	{"lbcore/route", nil, "a leaf: what rules are and which one a request meets, the same for who checks a file, who explains it, and who serves"},
	{"lbcore/check", nil, "a leaf: how something is asked whether it is well, the same for a pool's backends and an agent's app"},
	{"lbcore", []string{"lbcore/route", "lbcore/check"}, "what clients send must reach no other code of ours"},
	{"vip", []string{"internal/nft"}, "holds addresses; there is one encoder of nftables batches"},

	{
		"internal/keeper",
		[]string{"election", "vip", "internal/config", "internal/ipc", "internal/handover", "internal/hook"},
		"the privileged process: no gossip and no client's byte comes near it; a program that moves a VIP is bounded as every hook is",
	},
	{
		"internal/control",
		[]string{"membership", "internal/ipc", "internal/api", "internal/web", "internal/metrics", "internal/timeline", "internal/hook", "internal/render", "internal/talk"},
		"the operator's side: it can ask the keeper, but not be it",
	},
	{"internal/proxy", []string{"lbcore", "lbcore/route", "internal/ipc"}, "the process that clients talk to knows nothing else"},
	{"internal/runner", []string{"internal/ipc", "internal/hook", "internal/render"}, "runs hooks and renders templates as a user of their own, so that control need not be that user; it knows nothing but what to run"},
	{"internal/agent", []string{"membership", "internal/config", "internal/hook", "internal/talk", "lbcore/check"}, "runs beside an app; of a balancer's code only the questions that both ask an app"},
	{
		"internal/demo",
		[]string{"internal/lab", "internal/paint"},
		"a client of real processes in the lab: what it prints is observed from outside, never asked of the daemons",
	},
	{"internal/handover", []string{"internal/nft"}, "forward tables are nftables batches"},
	{"internal/lab", []string{"internal/nft", "internal/testneed"}, "faults are nftables batches; it builds networks and knows no product"},
	{"internal/bench", []string{"internal/lab"}, "measures processes, so it needs none of their packages"},
	{"internal/e2e", []string{"internal/lab"}, "tests processes, so it needs none of their packages"},
	{"internal/delivery", nil, "tests what is delivered: files, packages and systems made of them"},

	{"internal/talk", nil, "a leaf: what agents and balancers ask each other; both ends import it, and neither the other"},
	{"internal/config", []string{"lbcore/route", "lbcore/check"}, "file and flags to values; rules are checked by what will follow them"},
	{"internal/api", []string{"lbcore/route"}, "what is said on the control socket; rules are told as they are"},
	{"internal/ipc", []string{"lbcore/route", "lbcore/check"}, "what the three processes say to each other; rules and questions are told as they are"},
	{"internal/paint", nil, "a leaf: which words get colours, and when"},
	{"internal/nft", nil, "a leaf: bytes for the kernel"},
	{"internal/webapp", nil, "an app as others write them"},
	{"internal/web", nil, "the status page: it is handed what it shows"},
	{"internal/metrics", []string{"internal/api"}, "shows to Prometheus what status shows to people, and knows nothing else"},
	{"internal/timeline", nil, "a leaf"},
	{"internal/hook", nil, "a leaf"},
	{"internal/render", nil, "a leaf"},
	{"internal/doctor", nil, "looks at the machine, not at our code"},
	{"internal/importer", []string{"internal/config", "lbcore/check", "lbcore/route"}, "writes what config reads; its test asks rules what becomes of a request"},
	{"internal/testneed", nil, "a leaf: what a test does that lacks something"},
	{"internal/guide", nil, "a leaf: reads the documents for tests that hold them to what they say"},
	{"internal/arch", nil, "reads the others as text"},
}

// partOf returns the part that a folder belongs to, or nil.
func partOf(dir string) *part {
	for i := range parts {
		if under(dir, parts[i].name) {
			return &parts[i]
		}
	}
	return nil
}

func TestEachPackageHasAPlaceInTheHouse(t *testing.T) {
	for _, f := range tree(t) {
		if partOf(f.dir) == nil {
			t.Errorf("%s: %s is no part of the house; give it a line in internal/arch/arrows_test.go, with what it may import and why", f.path, f.dir)
		}
	}
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, f := range tree(t) {
		from := partOf(f.dir)
		for imported := range f.imports {
			dir, mine := ours(imported)
			if !mine || from == nil || allowed(f, from, dir) {
				continue
			}
			may := "nothing of ours"
			if len(from.may) > 0 {
				may = strings.Join(from.may, ", ")
			}
			t.Errorf("%s imports %s, but %s may import %s: %s", f.path, dir, from.name, may, from.why)
		}
	}
}

// allowed tells whether a file of a part may import a package of ours. Any test
// may say what it lacks. Tests that need a network of their own may import the
// lab, from outside of the package, so that the lab never becomes a dependency of
// what it tests.
func allowed(f *file, from *part, dir string) bool {
	to := partOf(dir)
	if to == nil {
		return false
	}
	if to == from || slices.Contains(from.may, to.name) {
		return true
	}
	return f.test && (to.name == "internal/testneed" || to.name == "internal/guide") || f.external() && to.name == "internal/lab"
}

// A table that allows what it should not would make the test above worthless.
func TestTheRuleRefusesWhatItShould(t *testing.T) {
	inside, outside := &file{pkg: "vip", test: true}, &file{pkg: "vip_test", test: true}
	for _, c := range []struct {
		f        *file
		from, to string
		want     bool
	}{
		{&file{}, "election", "membership", false},
		{&file{}, "vip", "internal/lab", false},
		{inside, "vip", "internal/lab/client", false},
		{outside, "vip", "internal/lab/client", true},
		{outside, "vip", "election", false},
		{inside, "vip", "internal/testneed", true},
		{&file{}, "vip", "internal/testneed", false},
		{&file{}, "internal/keeper", "lbcore", false},
		{&file{}, "internal/keeper", "vip", true},
		{&file{}, "lbcore", "lbcore/internal/http1", true},
		{&file{}, "internal/demo", "internal/api", false},
		{&file{}, "internal/demo", "internal/unknown", false},
	} {
		if got := allowed(c.f, partOf(c.from), c.to); got != c.want {
			t.Errorf("%s → %s: %v, want %v", c.from, c.to, got, c.want)
		}
	}
	if partOf("electionx") != nil || partOf("lbcore/internal/http1").name != "lbcore" {
		t.Error("a folder was given to the wrong part")
	}
}
