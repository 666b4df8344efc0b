package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A hook tells a file whom it was told of; hold waits, while it runs, for a file called go.
const (
	liveBase = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
`
	liveBefore = `
[[hook]]
name = "before"
events = ["member-join"]
command = ["/bin/sh", "-c", "cat >> %[1]s/before"]
[[hook]]
name = "hold"
events = ["user"]
command = ["/bin/sh", "-c", "cat >> %[1]s/held; while ! test -e %[1]s/go; do sleep 0.02; done; echo old >> %[1]s/ended"]
[[template]]
source = "%[1]s/stays.tmpl"
target = "%[1]s/stays.txt"
quiescence = "50ms"
[[template]]
source = "%[1]s/goes.tmpl"
target = "%[1]s/goes.txt"
quiescence = "50ms"
`
	liveAfter = `
[pool.api]
backends = ["192.168.42.29:3000"]
[[hook]]
name = "hold"
events = ["user"]
command = ["/bin/sh", "-c", "cat >> %[1]s/held; echo new >> %[1]s/ended"]
[[hook]]
name = "after"
user = "root"
events = ["member-join"]
command = ["/bin/sh", "-c", "cat >> %[1]s/after"]
[[template]]
source = "%[1]s/stays.tmpl"
target = "%[1]s/stays.txt"
check = ["/bin/grep", "-q", "names", "{file}"]
quiescence = "50ms"
[[template]]
source = "%[1]s/fresh.tmpl"
target = "%[1]s/fresh.txt"
quiescence = "50ms"
`
)

func TestAReloadChangesHooksAndTemplatesAllOrNothing(t *testing.T) {
	s := newSite(t)
	dir := openDir(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reads := func(name string) string {
		b, _ := os.ReadFile(in(name))
		return string(b)
	}
	says := func(name, want string) {
		t.Helper()
		s.until(name+" says "+want, func() (bool, string) { return strings.Contains(reads(name), want), reads(name) })
	}
	const names = `{{ range (.Pool "web").Up }} {{ .Name }}{{ end }}`
	put("stays.tmpl", "up:"+names)
	put("goes.tmpl", "up:"+names)
	file := filepath.Join(t.TempDir(), "tandem.toml")
	write(t, file, fmt.Sprintf(liveBase+liveBefore, dir))
	s.start("lb1", "lb", "--config", file)
	s.startAppJoining("192.168.42.11", "web1")
	s.untilServedBy("web1")
	says("before", "web1-3000")
	says("stays.txt", "up: web1-3000")
	says("goes.txt", "up: web1-3000")
	keeper, runner := s.process("lb1", "keeper"), s.process("lb1", "runner")

	// A program that runs, and an event that waits for it, when all of it changes.
	for n, payload := range []string{"first", "second"} {
		if out, err := s.tandem("lb1", "event", "deploy", payload); err != nil {
			t.Fatal(out, err)
		}
		if n == 0 {
			says("held", "deploy")
		}
	}
	s.until("the second event waits", func() (bool, string) {
		h, err := s.hooksOf("lb1")
		return err == nil && h["hold"].Waiting == 1 && h["hold"].Running == 1, fmt.Sprint(h, err)
	})

	// What is wrong with one template refuses all.
	after := fmt.Sprintf(liveBase+liveAfter, dir)
	put("fresh.tmpl", "line\n{{ range }}")
	write(t, file, after)
	s.refused("lb1", in("fresh.tmpl")+":2:")
	put("fresh.tmpl", `fresh:{{ len (.Pool "api").Backends }}`+names) // a pool that comes with it
	s.refused("lb1", "the check refuses the new file")
	put("stays.tmpl", "names:"+names)
	write(t, file, strings.Replace(after, `"root"`, `"nobody-of-that-name"`, 1))
	s.refused("lb1", "hook after: user: unknown user nobody-of-that-name")
	if reads("fresh.txt") != "" || !strings.HasPrefix(reads("stays.txt"), "up:") {
		t.Errorf("a refused reload has written %q and %q", reads("fresh.txt"), reads("stays.txt"))
	}
	if out, err := s.tandem("lb1", "template", "data"); err != nil || strings.Contains(out, `"api"`) {
		t.Errorf("a refused reload is seen by templates: %q, %v", out, err)
	}
	h, err := s.hooksOf("lb1")
	if _, there := h["before"]; err != nil || !there || len(h) != 2 || s.process("lb1", "runner") != runner {
		t.Errorf("a refused reload has changed the hooks: %v, %v", h, err)
	}

	write(t, file, after)
	out, err := s.tandem("lb1", "reload", "--dry-run")
	for _, line := range []string{
		"- hook.before\n", "+ hook.after\n", "~ hook.hold.command: ", "+ template." + in("fresh.txt") + "\n", "- template." + in("goes.txt") + "\n",
		"~ template." + in("stays.txt") + ".source: the file holds something else\n", "~ template." + in("stays.txt") + ".check: ",
	} {
		if err != nil || !strings.Contains(out, line) {
			t.Errorf("--dry-run does not say %q: %q, %v", line, out, err)
		}
	}
	if out, err := s.tandem("lb1", "reload"); err != nil || !strings.Contains(out, "in effect") {
		t.Fatal(out, err)
	}
	says("fresh.txt", "fresh:1 web1-3000")
	says("stays.txt", "names: web1-3000")
	if got := reads("ended"); got != "" {
		t.Errorf("the program that runs has ended with the reload: %q", got)
	}
	put("go", "")
	says("ended", "new\n")
	if got := reads("ended"); got != "old\nnew\n" {
		t.Errorf("of the two events came %q, want the one that ran by the old program, the one that waited by the new", got)
	}
	if got := strings.Count(reads("held"), "deploy"); got != 2 {
		t.Errorf("two events were told %d times", got)
	}

	goes := reads("goes.txt")
	s.startAppJoining("192.168.42.11", "web2")
	s.untilServedBy("web1", "web2")
	says("after", "web2-3000")
	says("fresh.txt", "web2-3000")
	says("stays.txt", "web2-3000")
	if strings.Contains(reads("before"), "web2-3000") {
		t.Error("a hook that was removed was run")
	}
	if got := reads("goes.txt"); got != goes {
		t.Errorf("a file whose template was removed has become %q", got)
	}
	if s.process("lb1", "keeper") != keeper {
		t.Error("the keeper was started anew")
	}

	// A user that has nothing to run any more has no process.
	if n := s.failures("lb1"); n != 0 {
		t.Errorf("templates have failed %d times", n)
	}
	write(t, file, liveBase)
	if out, err := s.tandem("lb1", "reload"); err != nil {
		t.Fatal(out, err)
	}
	s.until("no runner is left", func() (bool, string) {
		left := s.processes("lb1", "runner")
		return len(left) == 0, fmt.Sprint(left)
	})
	if h, err := s.hooksOf("lb1"); err != nil || len(h) != 0 {
		t.Errorf("all hooks are removed, and status has %v, %v", h, err)
	}
}

// refused has a balancer reload, in vain, for a reason in which why stands.
func (s *site) refused(lb, why string) {
	s.t.Helper()
	out, err := s.tandem(lb, "reload")
	if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "nothing has changed") {
		s.t.Errorf("a reload is not refused for %q: %q, %v", why, out, err)
	}
}

// failures counts what went wrong with a balancer's templates.
func (s *site) failures(lb string) (n int) {
	s.t.Helper()
	out, err := s.tandem(lb, "status", "--json")
	var st struct{ Templates []struct{ Failed int } }
	if err == nil {
		err = json.Unmarshal([]byte(out), &st)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for _, t := range st.Templates {
		n += t.Failed
	}
	return n
}

type hookCounts struct {
	Name                   string
	Waiting, Running, Runs int
}

func (s *site) hooksOf(lb string) (map[string]hookCounts, error) {
	out, err := s.tandem(lb, "status", "--json")
	if err != nil {
		return nil, err
	}
	var st struct{ Hooks []hookCounts }
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		return nil, err
	}
	counts := make(map[string]hookCounts)
	for _, h := range st.Hooks {
		counts[h.Name] = h
	}
	return counts, nil
}
