package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestTheVersionSaysAllThatIsStamped(t *testing.T) {
	info := &debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.3"},
		Deps: []*debug.Module{
			{Path: "a.example/one", Version: "v1.0.0", Sum: "h1:x"},
			{Path: "a.example/two", Version: "v2.0.0", Replace: &debug.Module{Path: "b.example/two", Version: "v2.0.1"}},
		},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "c453f47"}, {Key: "vcs.time", Value: "2026-11-30T14:49:54Z"}, {Key: "vcs.modified", Value: "true"},
		},
	}
	var said strings.Builder
	if err := buildOf(info).write(&said); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"tandem v1.2.3\n\n", "commit    c453f47 of 2026-11-30 14:49:54 UTC, and changes that are in no commit\n",
		"modules   a.example/one v1.0.0\n          b.example/two v2.0.1\n",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in\n%s", want, &said)
		}
	}
}

func TestAVersionThatNobodyKnowsIsDev(t *testing.T) {
	for _, main := range []string{"", "(devel)"} {
		if got := buildOf(&debug.BuildInfo{Main: debug.Module{Version: main}}).Version; got != "dev" {
			t.Errorf("%q: %q, want dev", main, got)
		}
	}
}
