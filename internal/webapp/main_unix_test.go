//go:build unix

package webapp

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// The test binary is the program when it is asked to be.
func TestMain(m *testing.M) {
	if os.Getenv("TANDEM_TEST_WEBAPP") == "1" {
		os.Exit(Main(os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

func TestSIGTERMDrainsAndExitsWithZero(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-listen", "127.0.0.1:0", "-name", "s1")
	cmd.Env = append(os.Environ(), "TANDEM_TEST_WEBAPP=1")
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // it has ended, if all is well
	lines := bufio.NewReader(logs)
	first, err := lines.ReadString('\n')
	addr := regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(first)
	if err != nil || addr == nil {
		t.Fatalf("%q, %v", first, err)
	}
	res, err := http.Get("http://" + addr[1] + "/stream?n=100000&ms=20")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.HasSuffix(string(body), "s1 stops\n") {
		t.Errorf("the stream ended with %v after %q", err, body)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
