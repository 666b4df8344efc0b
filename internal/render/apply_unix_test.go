//go:build unix

package render

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// bed is a template of the backends' names in a folder.
type bed struct {
	t   *testing.T
	dir string
	job Job
	ran [][]string
	err error // of the next programs
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir()}
	b.job = Job{Source: filepath.Join(b.dir, "a.tmpl"), Target: filepath.Join(b.dir, "a.cfg"), Keep: 2, Run: func(_ context.Context, argv []string) error {
		b.ran = append(b.ran, argv)
		return b.err
	}}
	b.write("a.tmpl", `{{ range (.Pool "web").Backends }}{{ .Name }} {{ end }}`)
	return b
}

func (b *bed) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func web(names ...string) Data {
	p := Pool{Name: "web"}
	for _, n := range names {
		p.Backends = append(p.Backends, Backend{Name: n})
	}
	return Data{Pools: []Pool{p}}
}

func (b *bed) apply(changed bool, names ...string) {
	b.t.Helper()
	if got, err := b.job.Apply(b.t.Context(), web(names...)); err != nil || got != changed {
		b.t.Errorf("applied to %v: changed %v, %v; want %v", names, got, err, changed)
	}
}

// want checks what is in the folder: name=text, sorted, the source left out.
func (b *bed) want(want ...string) {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if text, _ := os.ReadFile(filepath.Join(b.dir, e.Name())); e.Name() != "a.tmpl" {
			got = append(got, e.Name()+"="+strings.TrimSpace(string(text)))
		}
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("there is %q, want %q", got, want)
	}
}

func TestTheTargetChangesOnlyWithTheTextAndEarlierVersionsAreKept(t *testing.T) {
	b := newBed(t)
	b.job.Reload = []string{"reload"}
	b.apply(true, "x")
	b.apply(false, "x")
	b.want("a.cfg=x")
	for _, n := range []string{"y", "z", "w"} {
		b.apply(true, n)
	}
	b.want("a.cfg=w", "a.cfg.1=z", "a.cfg.2=y")
	if len(b.ran) != 4 {
		t.Errorf("reloaded %d times, want with each change", len(b.ran))
	}
	b.job.Keep = 0
	b.apply(true, "v")
	b.want("a.cfg=v", "a.cfg.1=z", "a.cfg.2=y")
}

func TestModeAndLinkOfTheTargetStay(t *testing.T) {
	b := newBed(t)
	b.write("real.cfg", "old")
	if err := errors.Join(os.Chmod(filepath.Join(b.dir, "real.cfg"), 0o640), os.Symlink("real.cfg", b.job.Target)); err != nil {
		t.Fatal(err)
	}
	b.apply(true, "x")
	info, err := os.Lstat(filepath.Join(b.dir, "real.cfg"))
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v; want 0640", info.Mode(), err)
	}
	if info, err := os.Lstat(b.job.Target); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	b.want("a.cfg=x", "real.cfg=x", "real.cfg.1=old")
}

func TestTheOwnerOfTheTargetStays(t *testing.T) {
	b := newBed(t)
	b.write("a.cfg", "old")
	if err := os.Chown(b.job.Target, 61949, 61949); err != nil {
		t.Skip("another owner needs root: ", err)
	}
	b.apply(true, "x")
	info, err := os.Stat(b.job.Target)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 61949 || st.Gid != 61949 {
		t.Errorf("the target belongs to %d:%d", st.Uid, st.Gid)
	}
}

func TestACheckThatFailsLeavesAllAsItWas(t *testing.T) {
	b := newBed(t)
	b.write("a.cfg", "old")
	b.job.Check, b.job.Reload = []string{"check", "-f", "{file}"}, []string{"reload"}
	b.err = errors.New("exit status 1")
	if changed, err := b.job.Apply(t.Context(), web("x")); changed || err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("changed %v, %v", changed, err)
	}
	b.want("a.cfg=old")
	if len(b.ran) != 1 || b.ran[0][1] != "-f" || !strings.HasPrefix(b.ran[0][2], filepath.Join(b.dir, ".a.cfg.")) {
		t.Errorf("ran %q, want the check alone, with the new file", b.ran)
	}
	b.err = nil
	b.apply(true, "x")
	b.want("a.cfg=x", "a.cfg.1=old")
}

func TestAReloadThatFailedIsOwed(t *testing.T) {
	b := newBed(t)
	b.job.Reload = []string{"reload"}
	b.err = errors.New("not now")
	if changed, err := b.job.Apply(t.Context(), web("x")); !changed || err == nil {
		t.Errorf("changed %v, %v", changed, err)
	}
	b.want("a.cfg=x")
	b.err = nil
	b.apply(false, "x")
	b.apply(false, "x")
	if len(b.ran) != 2 {
		t.Errorf("reloaded %d times, want until it succeeded", len(b.ran))
	}
}

func TestATemplateThatCannotBeRenderedChangesNothing(t *testing.T) {
	b := newBed(t)
	b.write("a.cfg", "old")
	for _, text := range []string{`{{ .Nothing }}`, `{{ (.Pool "shop").Name }}`, `{{ end }}`, strings.Repeat("x", maxSource+1)} {
		b.write("a.tmpl", text)
		if changed, err := b.job.Apply(t.Context(), web("x")); changed || err == nil {
			t.Errorf("%.20s: changed %v, %v", text, changed, err)
		}
	}
	b.want("a.cfg=old")
}

func TestATrialSaysWhatWouldGoWrongAndChangesNothing(t *testing.T) {
	b := newBed(t)
	b.job.Check, b.job.Reload = []string{"check", "{file}"}, []string{"reload"}
	b.apply(true, "x")
	b.ran = nil
	if err := b.job.Try(t.Context(), web("y")); err != nil || len(b.ran) != 1 || b.ran[0][0] != "check" {
		t.Errorf("tried: %v; ran %q, want the check alone", err, b.ran)
	}
	b.err = errors.New("not so")
	if err := b.job.Try(t.Context(), web("y")); err == nil || !strings.Contains(err.Error(), "not so") {
		t.Errorf("the check refuses it, and the trial says %v", err)
	}
	b.write("a.tmpl", "one\n{{ end }}")
	if err := b.job.Try(t.Context(), web("y")); err == nil || !strings.Contains(err.Error(), "a.tmpl:2:") {
		t.Errorf("it does not parse, and the trial says %v", err)
	}
	b.want("a.cfg=x")
}
