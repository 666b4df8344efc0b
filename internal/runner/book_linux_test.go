package runner

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/render"
)

// prepare begins a reload, and returns when the runner knows of it.
func (b *bed) prepare(number uint64, hooks ...ipc.Program) {
	b.t.Helper()
	b.send(b.keeper, &ipc.Prepare{ID: number, Runner: &ipc.RunnerStart{Programs: number, Hooks: hooks}})
	if m := await(b.t, b.ready); m.ID != number || m.Error != "" {
		b.t.Fatalf("prepared %+v", m)
	}
}

func TestAnOrderMeansWhatItMeantWhenItWasGivenWhateverIsReloaded(t *testing.T) {
	b := newBed(t, script("h", `echo zero`))
	says := func(number uint64, want string) {
		t.Helper()
		got := b.order(&ipc.RunHook{ID: number, Programs: number, Hook: "h"})
		if got.Output+got.Error != want && (want != "" || got.Error == "") {
			t.Errorf("by %d: %+v, want %q", number, got, want)
		}
	}
	b.prepare(1, script("h", `echo one`))
	says(0, "zero")
	says(1, "one") // control may be the first to hear that it is in effect
	b.send(b.keeper, &ipc.Abort{ID: 1})
	b.prepare(2, script("h", `echo two`))
	says(1, "")
	b.send(b.keeper, &ipc.Commit{ID: 2})
	b.prepare(3)
	says(0, "zero") // or the last
	says(2, "two")
	says(3, "")
	b.send(b.keeper, &ipc.Commit{ID: 3})
	b.prepare(4, script("h", `echo four`))
	says(0, "")
	says(2, "two")
	b.send(b.keeper, &ipc.Stop{Grace: time.Second})
	b.stopped()
}

func TestARunnerThatHasNothingToRunEndsWithTheLastThatRuns(t *testing.T) {
	dir := t.TempDir()
	b := newBed(t, script("hold", `while ! test -e `+dir+`/go; do sleep 0.02; done; touch `+dir+`/ended`))
	b.send(b.control, &ipc.RunHook{ID: 1, Hook: "hold"})
	b.order(&ipc.RunHook{ID: 2, Hook: "none"}) // so the first has been taken in
	b.prepare(1)
	b.send(b.keeper, &ipc.Commit{ID: 1})
	b.prepare(2)
	b.send(b.keeper, &ipc.Abort{ID: 2})
	b.control.Close()
	b.prepare(3)
	select {
	case err := <-b.done:
		t.Fatalf("it has ended while a program runs: %v", err)
	default:
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.stopped()
	if !exists(dir + "/ended") {
		t.Error("the program has not run to its end")
	}
}

func TestATemplateIsTriedUnderTheDefinitionOfTheReload(t *testing.T) {
	dir := t.TempDir()
	b := newBed(t)
	source, target := filepath.Join(dir, "a.tmpl"), filepath.Join(dir, "a.txt")
	data, err := json.Marshal(render.Data{Node: "lb1"})
	if err != nil {
		t.Fatal(err)
	}
	job := ipc.TemplateJob{Source: source, Target: target, Check: []string{"/bin/grep", "-q", "lb1", "{file}"}, Timeout: 20 * time.Second}
	b.send(b.keeper, &ipc.Prepare{ID: 1, Runner: &ipc.RunnerStart{Programs: 1, Templates: []ipc.TemplateJob{job}}})
	await(t, b.ready)
	for _, c := range []struct {
		text, want string
		data       json.RawMessage
		trial      bool
	}{
		{"one\n{{ end }}", source + ":2:", nil, true},
		{"one {{ .Node }}", "", nil, true},
		{"one", "the check refuses", data, true},
		{"one {{ .Node }}", "", data, true},
		{"one {{ .Node }}", "", data, false},
	} {
		if err := os.WriteFile(source, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		b.send(b.control, &ipc.Render{Programs: 1, Target: target, Data: c.data, Trial: c.trial})
		got := await(t, b.drawn)
		if (c.want == "") != (got.Error == "") || !strings.Contains(got.Error, c.want) || got.Trial != c.trial || got.Programs != 1 || got.Changed == c.trial {
			t.Errorf("%+v: %+v", c, got)
		}
		if exists(target) == c.trial {
			t.Errorf("%+v: the target is there: %v", c, !c.trial)
		}
	}
	b.send(b.keeper, &ipc.Stop{Grace: time.Second})
	b.stopped()
}
