package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// eventful is the configuration of a balancer with hooks, whose programs write into a folder.
const eventful = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]
[[vip]]
address = "192.168.42.42"
[[frontend]]
listen = ":80"
pool = "web"
[pool.web]
[[hook]]
name = "tell"
events = ["active", "member-join", "backend-up", "user"]
command = ["/bin/sh", "-c", "cat >> %[1]s/$TANDEM_EVENT"]
[[hook]]
name = "look"
events = ["active"]
command = ["/bin/sh", "-c", "cd %[1]s; cat /proc/$$/status > rights; env > env; ls /proc/self/fd > fd; echo all > looked"]
[[hook]]
name = "serf"
events = ["member-join"]
format = "serf"
command = ["/bin/sh", "-c", "cat >> %[1]s/serf; echo $SERF_EVENT $SERF_SELF_NAME $SERF_SELF_ROLE > %[1]s/serf-env"]
[[hook]]
name = "broken"
events = ["active"]
command = ["/bin/sh", "-c", "echo cannot; exit 9"]
[[template]]
source = "%[1]s/pool.tmpl"
target = "%[1]s/pool.txt"
check = ["/usr/bin/test", "-s", "{file}"]
reload = ["/bin/sh", "-c", "echo again >> %[1]s/reloads"]
quiescence = "100ms"
`

func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tandem-events-") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestHooksAndTemplatesFollowEventsWithoutAnyRight(t *testing.T) {
	s := newSite(t)
	dir := openDir(t)
	source := filepath.Join(dir, "pool.tmpl")
	if err := os.WriteFile(source, []byte(`for {{ .Node }}:{{ range (.Pool "web").Up }} {{ .Name }} {{ hostport .Host .Port }}{{ end }}`), 0o644); err != nil {
		t.Fatal(err)
	}
	s.configured("lb1", fmt.Sprintf(eventful, dir))
	s.startAppJoining("192.168.42.11", "web1")
	s.untilServedBy("web1")
	if out, err := s.tandem("lb1", "event", "deploy", "v1"); err != nil {
		t.Fatal(out, err)
	}
	read := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		return string(b)
	}
	for name, want := range map[string]string{
		"active": `"active":true,"group":"default","vips":["192.168.42.42"],"from":"backup"`, "member-join": `"name":"web1-3000","role":"agent"`,
		"backend-up": `"pool":"web","backend":"web1-3000","address":"192.168.42.21:3000"`, "user": `"name":"deploy","payload":"djE="`,
		"serf": "web1-3000\t192.168.42.21\tweb\tpool=web", "serf-env": "member-join lb1 lb\n", "looked": "all",
	} {
		s.until("the hook has been told: "+name, func() (bool, string) { return strings.Contains(read(name), want), read(name) })
	}
	const rendered = "for lb1: web1-3000 192.168.42.21:3000"
	s.until("the template's target names the backend", func() (bool, string) {
		return read("pool.txt") == rendered && strings.Contains(read("reloads"), "again"), read("pool.txt")
	})
	if out, err := s.tandem("lb1", "template", "render", source); err != nil || out != rendered {
		t.Errorf("tandem template render prints %q, %v", out, err)
	}
	status := map[string]string{}
	for line := range strings.Lines(read("rights")) {
		k, v, _ := strings.Cut(line, ":")
		status[k] = strings.TrimSpace(v)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if strings.Trim(status[set], "0") != "" {
			t.Errorf("%s of a hook is %s, want none", set, status[set])
		}
	}
	if status["NoNewPrivs"] != "1" {
		t.Error("a hook could gain rights")
	}
	if secondUser(t) && (strings.HasPrefix(status["Uid"], "0\t") || status["Uid"] == procStatus(t, fmt.Sprintf("/proc/%d/status", s.process("lb1", "control")))["Uid"]) {
		t.Errorf("a hook runs as %s, which is not a user of its own", status["Uid"])
	}
	if fds := strings.Fields(read("fd")); len(fds) != 4 { // the last is ls's own
		t.Errorf("a hook has the descriptors %v", fds)
	}
	for _, line := range strings.Split(strings.TrimSpace(read("env")), "\n") {
		if name, _, _ := strings.Cut(line, "="); !strings.HasPrefix(name, "TANDEM_") && name != "PATH" && name != "PWD" && name != "SHLVL" && name != "_" && name != "OLDPWD" {
			t.Errorf("a hook inherits %s", line)
		}
	}
	s.until("status counts what failed", func() (bool, string) {
		out, err := s.tandem("lb1", "status", "--json")
		var st struct {
			Hooks []struct {
				Name         string
				Runs, Failed int
				LastErr      string `json:"last_error"`
			}
			Processes []struct {
				Name  string
				Ready bool
			}
			Templates []struct{ Changed, Failed int }
		}
		if err == nil {
			err = json.Unmarshal([]byte(out), &st)
		}
		if err != nil || len(st.Hooks) != 4 || len(st.Processes) != 4 || st.Processes[3].Name != "runner" || !st.Processes[3].Ready ||
			len(st.Templates) != 1 || st.Templates[0].Changed == 0 || st.Templates[0].Failed != 0 {
			return false, fmt.Sprintf("%v %+v", err, st)
		}
		return st.Hooks[0].Runs >= 4 && st.Hooks[0].Failed == 0 && st.Hooks[3].Failed == 1 && st.Hooks[3].LastErr == "exit status 9", fmt.Sprintf("%+v", st)
	})
	if log := s.logs["lb1"].tail(); !strings.Contains(log, "hook failed") || !strings.Contains(log, "output=cannot") {
		t.Error("the log does not say what a hook said that failed")
	}
}
