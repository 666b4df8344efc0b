package webapp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// upgraded opens a connection to /echo.
func upgraded(t *testing.T, url string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "echo" || res.Header.Get("X-Served-By") != "s1" {
		t.Fatalf("%+v, %v", res, err)
	}
	return c.(*net.TCPConn), br
}

func TestEchoSendsBackWhatItReceives(t *testing.T) {
	url, _ := start(t, Config{Name: "s1"})
	c, br := upgraded(t, url)
	_, _ = io.WriteString(c, "late")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(br); string(got) != "early late" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEchoEndsWhenTheAppStops(t *testing.T) {
	url, stop := start(t, Config{Name: "s1"})
	_, br := upgraded(t, url)
	early := make([]byte, len("early "))
	if _, err := io.ReadFull(br, early); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(br); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v: want an orderly end", rest, err)
	}
}

func TestEchoWithoutUpgradeSaysWhatIsMissing(t *testing.T) {
	url, _ := start(t, Config{Name: "s1"})
	if res, _ := do(t, "GET", url+"/echo", ""); res.StatusCode != http.StatusUpgradeRequired || res.Header.Get("Upgrade") != "echo" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}
