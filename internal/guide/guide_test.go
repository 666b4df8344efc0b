package guide

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = "# One\n\nRead [this](a.md#two) and `tandem\nstatus`, not `[x](y)`. On lb1:\n\n    tandem keygen\n\n      deeper\n\nText\n    that goes on.\n\n" +
	"## Two\n\n```\n[[vip]]  # one\n```\n<img src=\"p.png\">\n"

func TestADocumentIsReadIntoItsParts(t *testing.T) {
	want := Document{
		File: "f.md", Headings: []string{"One", "Two"},
		Blocks: []Block{
			{File: "f.md", Line: 6, Under: "One", Intro: "Read [this](a.md#two) and `tandem status`, not `[x](y)`. On lb1:", Lines: []string{"tandem keygen", "", "  deeper"}},
			{File: "f.md", Line: 16, Under: "Two", Lines: []string{"[[vip]]  # one"}},
		},
		Links: []Mark{{"f.md", 3, "a.md#two"}, {"f.md", 18, "p.png"}},
		Code:  []Mark{{"f.md", 3, "tandem status"}, {"f.md", 4, "[x](y)"}},
	}
	if diff := cmp.Diff(want, Parse("f.md", sample)); diff != "" {
		t.Error(diff)
	}
}

func TestABlockOfConfigurationIsTold(t *testing.T) {
	for text, want := range map[string]bool{"[[vip]]": true, "# why\n[pool.web]": true, "tandem status": false, "[<img": false, "key = 1": false} {
		if got := Parse("f", "```\n"+text+"\n```").Blocks[0].TOML(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestALineIsSplitAsAShellDoes(t *testing.T) {
	for line, want := range map[string][][]string{
		"sudo tandem doctor      # what stands":       {{"tandem", "doctor"}},
		"tandem import a.cfg > tandem.toml":           {{"tandem", "import", "a.cfg"}},
		"TZ=UTC tandem status --json | jq '.a | .b'":  {{"tandem", "status", "--json"}, {"jq", ".a | .b"}},
		"tandem watch x -- docker up --scale web=3":   {{"tandem", "watch", "x", "--", "docker", "up", "--scale", "web=3"}},
		"for i in $(seq 10); do tandem demo; done":    {{"for", "i", "in", "$(seq", "10)"}, {"do", "tandem", "demo"}, {"done"}},
		`curl -d '{"weight": 20}' && tandem weight w`: {{"curl", "-d", `{weight: 20}`}, {"tandem", "weight", "w"}},
		"# only a remark":                             nil,
	} {
		if got := Words(line); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestAHeadingHasAnAnchor(t *testing.T) {
	if got := Anchor("What it is, and `why`: A-B"); got != "what-it-is-and-why-a-b" {
		t.Error(got)
	}
}
