//go:build unix

package render

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// served is a backend that answers with its name.
func served(t *testing.T, name string) Backend {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	ap := netip.MustParseAddrPort(s.Listener.Addr().String())
	return Backend{Name: name, Host: ap.Addr().String(), Port: int(ap.Port()), Weight: 100, State: "up"}
}

// example writes one of deploy/examples into dir, with some of its words replaced.
func example(t *testing.T, dir, name string, words ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.NewReplacer(words...).Replace(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(ctx context.Context, argv []string) error {
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	testneed.Missing(t, "%s: apt-get install %s", name, pkg)
	return ""
}

// start runs a proxy until the test ends.
func start(t *testing.T, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	said := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", argv[0], said)
		}
	})
	return cmd
}

// untilServed waits until all of some requests in a row are answered so.
func untilServed(t *testing.T, addr, want string) {
	t.Helper()
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	instead := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		good := 0
		for range 4 {
			resp, err := client.Get("http://" + addr)
			if err != nil {
				instead = err.Error()
				break
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if instead = string(body); instead != want {
				break
			}
			good++
		}
		if good == 4 {
			return
		}
	}
	t.Fatalf("not served by %s within 30 s; instead: %s", want, instead)
}

func pool(backends ...Backend) Data {
	return Data{Node: "lb1", Pools: []Pool{{Name: "web", Backends: backends}}}
}

// follow has a proxy follow a pool that changes: a joins before it is started, b takes its
// place, and a file that the proxy refuses changes nothing.
func follow(t *testing.T, j *Job, addr string, begin func() *exec.Cmd, reload func(pid string) []string, bad Data) {
	t.Helper()
	a, b := served(t, "a"), served(t, "b")
	apply := func(d Data) error {
		t.Helper()
		_, err := j.Apply(t.Context(), d)
		return err
	}
	if err := apply(pool(a)); err != nil {
		t.Fatal(err)
	}
	proxy := begin()
	untilServed(t, addr, "a")
	j.Reload = reload(strconv.Itoa(proxy.Process.Pid))
	if err := apply(pool(b)); err != nil {
		t.Fatal(err)
	}
	untilServed(t, addr, "b")
	before, err := os.ReadFile(j.Target)
	if err != nil {
		t.Fatal(err)
	}
	if err := apply(bad); err == nil {
		t.Error("a file that the proxy refuses was accepted")
	}
	if after, err := os.ReadFile(j.Target); err != nil || string(after) != string(before) {
		t.Errorf("the refused file is in place (%v):\n%s", err, after)
	}
	untilServed(t, addr, "b")
}

func TestTheExampleForHAProxyDrivesHAProxy(t *testing.T) {
	haproxy, dir, addr := tool(t, "haproxy", "haproxy"), t.TempDir(), fmt.Sprintf("127.0.0.1:%d", testneed.FreePort(t))
	j := &Job{
		Source: example(t, dir, "haproxy.cfg.tmpl", "127.0.0.1:8080", addr), Target: filepath.Join(dir, "haproxy.cfg"),
		Check: []string{haproxy, "-c", "-f", "{file}"}, Keep: 3, Run: run,
	}
	follow(t, j, addr, func() *exec.Cmd { return start(t, haproxy, "-W", "-f", j.Target) },
		func(pid string) []string { return []string{"/bin/kill", "-USR2", pid} },
		pool(Backend{Name: "heavy", Host: "127.0.0.1", Port: 1, Weight: 1000}))
}

func TestTheExampleForNginxDrivesNginx(t *testing.T) {
	nginx, dir, addr := tool(t, "nginx", "nginx-light"), t.TempDir(), fmt.Sprintf("127.0.0.1:%d", testneed.FreePort(t))
	temp := "access_log off;"
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} { // elsewhere than the system's
		temp += fmt.Sprintf(" %s_temp_path %s/%s;", of, dir, of)
	}
	j := &Job{
		Source: example(t, dir, "nginx.conf.tmpl", "127.0.0.1:8081", addr, "/run/nginx.pid", dir+"/pid", "access_log off;", temp),
		Target: filepath.Join(dir, "nginx.conf"), Check: []string{nginx, "-t", "-q", "-e", "stderr", "-c", "{file}"}, Keep: 3, Run: run,
	}
	follow(t, j, addr, func() *exec.Cmd { return start(t, nginx, "-e", "stderr", "-g", "daemon off;", "-c", j.Target) },
		func(string) []string { return []string{nginx, "-e", "stderr", "-c", j.Target, "-s", "reload"} },
		pool(Backend{Name: "bad", Host: "127.0.0.1", Port: 70000, Weight: 1, State: "up"}))
}
