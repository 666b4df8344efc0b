package web

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPictureIsMadeEachSecondForAllAndNoneForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int64
		s := newStream(func() []byte { return fmt.Append(nil, made.Add(1)) })
		changed := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.run(ctx, changed) }()
		time.Sleep(time.Minute)
		if made.Load() != 0 {
			t.Errorf("%d pictures were made for nobody", made.Load())
		}
		for range 2 {
			if !s.join() {
				t.Fatal("nobody may follow")
			}
		}
		synctest.Wait()
		if n := made.Load(); n < 1 || n > 2 {
			t.Errorf("two who come are shown %d pictures at once, want 1 or 2", n)
		}
		first := s.current()
		time.Sleep(10*time.Second + time.Millisecond)
		if n := made.Load(); n < 10 || n > 12 {
			t.Errorf("%d pictures in 10 s for two, want one a second", n)
		}
		select {
		case <-first.newer:
		default:
			t.Error("who waits is not told that there is a newer one")
		}
		before := made.Load()
		end := time.Now().Add(time.Second)
		for time.Now().Before(end) {
			changed <- struct{}{}
			time.Sleep(time.Millisecond)
		}
		if n := made.Load() - before; n < 3 || n > 8 {
			t.Errorf("%d pictures in a second of changes, want one in %v at most", n, changeInterval)
		}
		s.leave()
		s.leave()
		synctest.Wait()
		before = made.Load()
		time.Sleep(time.Minute)
		if n := made.Load() - before; n > 1 {
			t.Errorf("%d pictures after all have left", n)
		}
		cancel()
		<-done
	})
}

// follow opens the stream and returns its lines.
func follow(t *testing.T, url string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewScanner(resp.Body)
}

func pageServer() *Server {
	return &Server{
		Allow: local, Metrics: metrics("m"), Cluster: func() []byte { return []byte(`{"node":"lb1"}`) },
		History: func() []byte { return []byte(`[1]`) },
	}
}

func TestWhoFollowsIsToldWhatWasAndThenWhatIs(t *testing.T) {
	_, lines := follow(t, serve(t, pageServer()))
	var got []string
	for lines.Scan() && len(got) < 5 {
		got = append(got, lines.Text())
	}
	if want := "event: history|data: [1]||event: cluster|data: {\"node\":\"lb1\"}"; strings.Join(got, "|") != want {
		t.Errorf("told %q, want %q", strings.Join(got, "|"), want)
	}
}

func TestOnlySoManyMayFollowAndAPlaceIsFreeAgain(t *testing.T) {
	url := serve(t, pageServer())
	var last *http.Response
	for range maxStreams {
		resp, lines := follow(t, url)
		if !lines.Scan() || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s", resp.Status)
		}
		last = resp
	}
	if resp, _ := follow(t, url); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s", resp.Status)
	}
	last.Body.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if resp, _ := follow(t, url); resp.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the place of who has left is not free within 20 s")
		}
	}
}

func TestThePageLoadsFromHereAndNowhereElse(t *testing.T) {
	url := serve(t, pageServer())
	resp, body := do(t, http.MethodGet, url+"/")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, "page.js") {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	csp := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy %q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("the policy allows what is unsafe: %q", csp)
	}
	for file, kind := range map[string]string{
		"page.js": "text/javascript", "charts.js": "text/javascript", "words.js": "text/javascript", "dom.js": "text/javascript", "admin.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml",
	} {
		resp, body := do(t, http.MethodGet, url+"/"+file)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %s, %s", file, resp.Status, resp.Header.Get("Content-Type"))
		}
		for _, far := range []string{"https://", "http://"} {
			if strings.Contains(strings.ReplaceAll(body, "http://www.w3.org/2000/svg", ""), far) {
				t.Errorf("%s names a place elsewhere", file)
			}
		}
		if strings.Contains(body, "innerHTML") || strings.Contains(body, "eval(") {
			t.Errorf("%s makes markup or code of text", file)
		}
	}
}
