package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// secret is the token of these tests, as it stands in a file.
var secret = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

// steered is a server that takes orders, and what it was ordered.
func steered(t *testing.T) (url string, orders *[]Order, who *string, logged *bytes.Buffer) {
	t.Helper()
	orders, who, logged = new([]Order), new(string), new(bytes.Buffer)
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(key)
	s := pageServer()
	s.Admin = Admin{
		Tokens: func() [][]byte { return [][]byte{make([]byte, 32), sum[:]} },
		Carry: func(_ context.Context, from string, o Order) (string, error) {
			*orders, *who = append(*orders, o), from
			if o.Backend == "web/none" {
				return "", errors.New("there is no backend")
			}
			return "done: " + o.Do, nil
		},
		Log: slog.New(slog.NewTextHandler(logged, nil)),
	}
	return serve(t, s), orders, who, logged
}

// send asks url with these headers; "" leaves one of the usual ones out.
func send(t *testing.T, url, body string, headers map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/admin", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(tokenHeader, secret)
	for k, v := range headers {
		if req.Header.Set(k, v); v == "" {
			req.Header.Del(k)
		}
		if k == "Host" {
			req.Host = v
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

const drain = `{"do":"drain","backend":"web/web1"}`

func TestWhoHasTheTokenMaySteer(t *testing.T) {
	url, orders, who, _ := steered(t)
	for body, want := range map[string]string{
		drain: "done: drain", `{"do":"weight","backend":"web/web1","weight":50}`: "done: weight", `{"do":"handover","to":"lb2"}`: "done: handover", `{"do":"maint on"}`: "done: maint on",
	} {
		if status, got := send(t, url, body, nil); status != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%s: %d, %s", body, status, got)
		}
	}
	if len(*orders) != 4 || *who != "status page, from 127.0.0.1" {
		t.Errorf("%d orders by %q", len(*orders), *who)
	}
	if status, got := send(t, url, `{"do":"nothing"}`, nil); status != http.StatusOK || len(*orders) != 4 {
		t.Errorf("to sign in: %d, %s, %d orders", status, got, len(*orders))
	}
	if status, got := send(t, url, `{"do":"drain","backend":"web/none"}`, nil); status != http.StatusConflict || !strings.Contains(got, "there is no backend") {
		t.Errorf("refused: %d, %s", status, got)
	}
	if _, got := do(t, http.MethodGet, url+"/admin"); !strings.Contains(got, "true") {
		t.Errorf("the page is told %s", got)
	}
}

func TestNobodyElseMaySteer(t *testing.T) {
	url, orders, _, logged := steered(t)
	same := strings.TrimPrefix(url, "http://")
	for name, c := range map[string]struct {
		headers map[string]string
		body    string
		want    int
	}{
		"no token":                     {map[string]string{tokenHeader: ""}, drain, 401},
		"another token":                {map[string]string{tokenHeader: base64.StdEncoding.EncodeToString(make([]byte, 32))}, drain, 401},
		"the sum in place of the key":  {map[string]string{tokenHeader: base64.StdEncoding.EncodeToString(make([]byte, 0))}, drain, 401},
		"no base64":                    {map[string]string{tokenHeader: "%%%"}, drain, 401},
		"half of the token":            {map[string]string{tokenHeader: secret[:20]}, drain, 401},
		"a page from elsewhere":        {map[string]string{"Origin": "http://evil.example"}, drain, 403},
		"a page from another port":     {map[string]string{"Origin": "http://127.0.0.1:1"}, drain, 403},
		"a frame from elsewhere":       {map[string]string{"Sec-Fetch-Site": "cross-site"}, drain, 403},
		"a neighbour's page":           {map[string]string{"Sec-Fetch-Site": "same-site"}, drain, 403},
		"no origin":                    {map[string]string{"Origin": "null"}, drain, 403},
		"a form":                       {map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, drain, 415},
		"a form in disguise":           {map[string]string{"Content-Type": "text/plain"}, drain, 415},
		"a rebound name":               {map[string]string{"Host": "evil.example:1936"}, drain, 421},
		"a rebound name, like ours":    {map[string]string{"Host": "127.0.0.1.evil.example"}, drain, 421},
		"its own origin, a wrong host": {map[string]string{"Host": "evil.example", "Origin": "http://evil.example"}, drain, 421},
		"no order":                     {nil, `{}`, 400},
		"an unknown order":             {nil, `{"do":"release"}`, 400},
		"an unknown word":              {nil, `{"do":"drain","backend":"a","who":"root"}`, 400},
		"no backend":                   {nil, `{"do":"drain"}`, 400},
		"two orders":                   {nil, drain + drain, 400},
		"too much":                     {nil, `{"do":"drain","backend":"` + strings.Repeat("x", maxOrder) + `"}`, 400},
		"a list":                       {nil, `[]`, 400},
	} {
		if status, got := send(t, url, c.body, c.headers); status != c.want {
			t.Errorf("%s: %d, %s; want %d", name, status, got, c.want)
		}
	}
	if len(*orders) != 0 {
		t.Errorf("carried out: %+v", *orders)
	}
	if log := logged.String(); strings.Count(log, "wrong token") != 1 || strings.Contains(log, secret[:20]) {
		t.Errorf("logged, of five wrong tokens:\n%s", log)
	}
	if status, got := send(t, url, drain, map[string]string{"Origin": "http://" + same, "Sec-Fetch-Site": "same-origin"}); status != http.StatusOK {
		t.Errorf("the page itself: %d, %s", status, got)
	}
	resp, _ := do(t, http.MethodGet, url+"/admin?do=drain&backend=web/web1&token="+secret)
	if resp.StatusCode != http.StatusOK || len(*orders) != 1 {
		t.Errorf("a GET gave an order")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, url+"/admin", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "http://evil.example")
	req.Header.Set("Access-Control-Request-Method", "POST")
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for h := range resp.Header {
		if strings.HasPrefix(h, "Access-Control-Allow") {
			t.Errorf("a page from elsewhere is told that it may: %s", h)
		}
	}
}

func TestWithoutATokenThePageIsReadOnly(t *testing.T) {
	s := pageServer()
	s.Admin = Admin{Tokens: func() [][]byte { return nil }, Carry: func(context.Context, string, Order) (string, error) {
		t.Error("an order was carried out")
		return "", nil
	}}
	for _, url := range []string{serve(t, s), serve(t, pageServer())} {
		for _, token := range []string{secret, "", base64.StdEncoding.EncodeToString([]byte{})} {
			if status, got := send(t, url, drain, map[string]string{tokenHeader: token}); status != http.StatusForbidden || !strings.Contains(got, "admin_token_file") {
				t.Errorf("%d, %s", status, got)
			}
		}
		if _, got := do(t, http.MethodGet, url+"/admin"); !strings.Contains(got, "false") {
			t.Errorf("the page is told %s", got)
		}
	}
}

func TestThePageIsKnownByItsNamesAlone(t *testing.T) {
	s := &Server{Hosts: func() []string { return []string{"lb1", "LB.example.com"} }}
	for hostport, want := range map[string]bool{
		"192.168.42.42": true, "192.168.42.42:1936": true, "[fd42::42]:1936": true, "[fd42::42]": true, "localhost:1936": true, "lb1": true, "LB1:1936": true,
		"lb.example.com": true, "lb.example.com.:1936": true, "": true,
		"lb1.evil.example": false, "evil.example:1936": false, "lb2": false, "192.168.42.42.evil.example": false, "localhost.evil.example": false, "[lb1]x": false,
	} {
		if got := s.named(hostport); got != want {
			t.Errorf("%q: %v, want %v", hostport, got, want)
		}
	}
	url := serve(t, pageServer())
	for _, path := range []string{"/", "/metrics", "/events", "/page.js", "/admin"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "evil.example:1936"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(string(body), "status_hosts") {
			t.Errorf("%s under another name: %s, %v, %q", path, resp.Status, err, body)
		}
	}
}

func FuzzOrder(f *testing.F) {
	f.Add([]byte(drain))
	f.Add([]byte(`{"do":"handover","to":"lb2"} x`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := readOrder(bytes.NewReader(b))
		if err == nil && (o.Do == "" || o.Backend == "" && (o.Do == DoDrain || o.Do == DoWeight)) {
			t.Errorf("%q is %+v", b, o)
		}
	})
}
