package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// serve runs s on a loopback address, and returns its URL.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v after its context ended, want nil", err)
		}
	})
	return "http://" + l.Addr().String()
}

// local lets in who comes from this host.
var local = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func do(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func metrics(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestWhoIsInNoAllowedNetworkIsRefusedBeforeAnythingElse(t *testing.T) {
	url := serve(t, &Server{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Metrics: metrics("secret")})
	for _, path := range []string{"/metrics", "/", "/nothing"} {
		resp, body := do(t, http.MethodGet, url+path)
		if resp.StatusCode != http.StatusForbidden || strings.Contains(body, "secret") || !strings.Contains(body, "status_allow") {
			t.Errorf("%s: %s, %q; want 403 and the key that allows it", path, resp.Status, body)
		}
	}
}

func TestAddressesAreMatchedInWhateverFormTheyCome(t *testing.T) {
	s := &Server{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}}
	for remote, want := range map[string]bool{
		"10.1.2.3:5": true, "[::ffff:10.1.2.3]:5": true, "[fe80::1%eth0]:5": true,
		"11.1.2.3:5": false, "[::1]:5": false, "@": false, "": false, "10.1.2.3": false,
	} {
		if got := s.allowed(remote); got != want {
			t.Errorf("%q is allowed: %v, want %v", remote, got, want)
		}
	}
}

func TestNothingIsChangedHere(t *testing.T) {
	url := serve(t, &Server{Allow: local, Metrics: metrics("m")})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if resp, _ := do(t, method, url+"/metrics"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s, want 405", method, resp.Status)
		}
	}
	if resp, body := do(t, http.MethodGet, url+"/metrics"); resp.StatusCode != http.StatusOK || body != "m" {
		t.Errorf("GET: %s, %q", resp.Status, body)
	}
}
