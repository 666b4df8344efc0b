package webapp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// start runs an app on loopback; stop asks it to end and returns what Run did.
func start(t *testing.T, cfg Config) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	cfg.Listen, cfg.Ready = "127.0.0.1:0", func(a net.Addr) { ready <- a }
	go func() { ended <- Run(ctx, cfg) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	select {
	case a := <-ready:
		return "http://" + a.String(), stop
	case err := <-ended:
		t.Fatal(err)
		return "", nil
	}
}

func do(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(data)
}

func TestTheRootTellsWhoAnsweredAndForWhom(t *testing.T) {
	url, _ := start(t, Config{Name: "s1"})
	res, body := do(t, "GET", url+"/", "", "X-Forwarded-For", "192.168.42.50")
	if !strings.HasPrefix(body, "s1 pid ") || !strings.HasSuffix(body, " request 1 for 192.168.42.50\n") || res.Header.Get("X-Served-By") != "s1" {
		t.Errorf("%v %q", res.Header, body)
	}
	do(t, "GET", url+"/healthz", "")
	if _, body = do(t, "GET", url+"/", ""); !strings.HasSuffix(body, " request 2 for an unknown client\n") {
		t.Errorf("a check was counted, or not this request: %q", body)
	}
}

func TestABrowserGetsAPageAndNoScriptOfAStranger(t *testing.T) {
	url, _ := start(t, Config{Name: "s1"})
	res, body := do(t, "GET", url+"/", "", "Accept", "text/html,*/*", "X-Forwarded-For", "<script>")
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, "<h1>s1</h1>") || strings.Contains(body, "<script>") {
		t.Errorf("%v\n%s", res.Header, body)
	}
}

func TestWhoamiTellsWhatTheAppSaw(t *testing.T) {
	url, _ := start(t, Config{Name: "s1"})
	_, body := do(t, "POST", url+"/whoami", "", "X-Forwarded-For", "192.0.2.1", "X-Forwarded-For", "192.0.2.2", "X-Forwarded-Port", "80")
	var got Answer
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "s1" || got.Method != "POST" || got.ForwardedFor != "192.0.2.1, 192.0.2.2" || got.ForwardedPort != "80" || got.Requests != 1 || got.PID == 0 {
		t.Errorf("%+v", got)
	}
}

func TestUploadHashesWhatItGot(t *testing.T) {
	url, _ := start(t, Config{Name: "s1"})
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	sum := sha256.Sum256(content)
	for name, body := range map[string]io.Reader{
		"content-length": bytes.NewReader(content),
		"chunked":        io.MultiReader(bytes.NewReader(content)),
	} {
		res, err := http.Post(url+"/upload", "application/octet-stream", body)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var got Uploaded
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Bytes != int64(len(content)) || got.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestStreamSendsEachLineAtOnceAndEndsWhenTheAppStops(t *testing.T) {
	url, stop := start(t, Config{Name: "s1"})
	res, err := http.Get(url + "/stream?n=100000&ms=20")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for range 2 { // arrives although the stream goes on
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "s1 line ") {
			t.Fatalf("%q, %v", lines.Text(), lines.Err())
		}
	}
	if err := stop(); err != nil {
		t.Errorf("the stop cut the stream off: %v", err)
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if last != "s1 stops" || lines.Err() != nil {
		t.Errorf("ended with %q, %v", last, lines.Err())
	}
}

// waitForOneInFlight returns once another request than its own was counted.
func waitForOneInFlight(t *testing.T, url string) {
	t.Helper()
	for own := int64(1); ; own++ {
		_, body := do(t, "GET", url+"/whoami", "")
		var got Answer
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Requests > own {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAStopLetsRequestsInFlightEnd(t *testing.T) {
	url, stop := start(t, Config{Name: "s1"})
	type result struct {
		body string
		err  error
	}
	results := make(chan result, 1)
	go func() {
		res, err := http.Get(url + "/slow?ms=300")
		if err != nil {
			results <- result{err: err}
			return
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		results <- result{string(data), err}
	}()
	waitForOneInFlight(t, url)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := <-results; got.err != nil || !strings.Contains(got.body, "after 300 ms") {
		t.Errorf("%q, %v", got.body, got.err)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("it still accepts")
	}
}

func TestWhatOutlastsTheDrainIsCutOffAndSaid(t *testing.T) {
	url, stop := start(t, Config{Name: "s1", Drain: time.Millisecond})
	ended := make(chan error, 1)
	go func() {
		res, err := http.Post(url+"/upload", "text/plain", endless{})
		if err == nil {
			res.Body.Close()
		}
		ended <- err
	}()
	waitForOneInFlight(t, url)
	if err := stop(); err == nil || !strings.Contains(err.Error(), "cut off after 1ms") {
		t.Errorf("got %v", err)
	}
	<-ended
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestBadParametersAreRefused(t *testing.T) {
	url, _ := start(t, Config{Name: "s1"})
	for _, path := range []string{"/slow?ms=x", "/slow?ms=-1", "/slow?ms=99999999", "/stream?n=x", "/stream?ms=x"} {
		if res, body := do(t, "GET", url+path, ""); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "must be a number from 0 to ") {
			t.Errorf("%s: %d %q", path, res.StatusCode, body)
		}
	}
	if res, _ := do(t, "GET", url+"/none", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("/none: %d", res.StatusCode)
	}
}

func TestAnAddressInUseIsNamedWithARemedy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Run(context.Background(), Config{Listen: l.Addr().String(), Name: "s1"})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("got %v", err)
	}
}

func TestExitCodesTellUsageFromFailure(t *testing.T) {
	for want, args := range map[int][]string{0: {"-help"}, 1: {"-listen", "no-port"}, 2: {"-nonsense"}} {
		if got := Main(args, io.Discard); got != want {
			t.Errorf("%v: %d, want %d", args, got, want)
		}
	}
	if got := Main([]string{"stray"}, io.Discard); got != 2 {
		t.Errorf("a stray argument: %d", got)
	}
}
