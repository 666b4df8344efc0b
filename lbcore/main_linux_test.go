package lbcore_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/lbcore"
)

// backendEnv makes the test binary a web app, so that a test can kill it.
const backendEnv = "LBCORE_TEST_BACKEND"

// TestMain runs the tests inside a lab, for those that need one.
func TestMain(m *testing.M) {
	if addr := os.Getenv(backendEnv); addr != "" {
		runBackend(addr)
		return
	}
	if addr := os.Getenv(proxyEnv); addr != "" {
		runProxy(addr, os.Args[1:])
		return
	}
	lab.Init()
	if slices.Contains(os.Args, "-test.fuzzworker") {
		os.Exit(m.Run()) // it has pipes to its coordinator, which a lab does not inherit
	}
	os.Exit(lab.TestMain(m))
}

// runBackend serves for ever, or until its stdin, the test's pipe, ends.
func runBackend(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	if fi, err := os.Stdin.Stat(); err == nil && fi.Mode()&os.ModeNamedPipe != 0 {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.URL.Query().Get("sleep")); err == nil {
			time.Sleep(d)
		}
		_, _ = io.WriteString(w, "ok")
	}))
}

// process is a backend in a process of its own.
type process struct {
	lbcore.BackendConfig
	cmd *exec.Cmd
}

// startProcess starts a backend on addr, "127.0.0.1:0" for any port.
func startProcess(t *testing.T, id, addr string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), backendEnv+"="+addr)
	_, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	p := &process{cmd: cmd}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	a, err := net.ResolveTCPAddr("tcp", strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("backend %s: %s", id, line)
	}
	p.BackendConfig = backendAt(id, a)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
