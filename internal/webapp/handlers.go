package webapp

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	maxWait   = time.Minute // of /slow, and between two lines of /stream
	maxLines  = 100_000     // of /stream
	maxUpload = 1 << 30     // bytes
)

// Answer is what /whoami says.
type Answer struct {
	Name          string `json:"name"`
	PID           int    `json:"pid"`
	Requests      int64  `json:"requests"` // answered by this process, this one included
	Method        string `json:"method"`
	Host          string `json:"host"`
	Proto         string `json:"proto"`
	Remote        string `json:"remote"` // the other end of the connection: the balancer
	ForwardedFor  string `json:"forwarded_for"`
	ForwardedPort string `json:"forwarded_port"`
}

// Uploaded is what /upload says.
type Uploaded struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

type app struct {
	name     string
	delay    time.Duration
	stopping <-chan struct{}
	requests atomic.Int64
}

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/{$}", a.counted(a.root))
	mux.HandleFunc("/whoami", a.counted(a.whoami))
	mux.HandleFunc("/slow", a.counted(a.slow))
	mux.HandleFunc("/stream", a.counted(a.stream))
	mux.HandleFunc("/upload", a.counted(a.upload))
	mux.HandleFunc("/echo", a.counted(a.echo))
	return mux
}

// counted counts a request and names the app in a header, which a client can
// read whatever the body is.
func (a *app) counted(h func(http.ResponseWriter, *http.Request, Answer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Served-By", a.name)
		h(w, r, Answer{
			Name: a.name, PID: os.Getpid(), Requests: a.requests.Add(1),
			Method: r.Method, Host: r.Host, Proto: r.Proto, Remote: r.RemoteAddr,
			ForwardedFor:  strings.Join(r.Header.Values("X-Forwarded-For"), ", "),
			ForwardedPort: r.Header.Get("X-Forwarded-Port"),
		})
	}
}

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

func (a *app) root(w http.ResponseWriter, r *http.Request, answer Answer) {
	if !a.wait(r, a.delay) {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, answer) // an error means that the client has gone
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s pid %d request %d for %s\n", answer.Name, answer.PID, answer.Requests, known(answer.ForwardedFor))
}

func known(forwardedFor string) string {
	if forwardedFor == "" {
		return "an unknown client"
	}
	return forwardedFor
}

func (a *app) whoami(w http.ResponseWriter, _ *http.Request, answer Answer) {
	writeJSON(w, answer)
}

func (a *app) slow(w http.ResponseWriter, r *http.Request, answer Answer) {
	ms, ok := number(w, r, "ms", 1000, int(maxWait/time.Millisecond))
	if !ok || !a.wait(r, time.Duration(ms)*time.Millisecond) {
		return
	}
	fmt.Fprintf(w, "%s pid %d request %d after %d ms\n", answer.Name, answer.PID, answer.Requests, ms)
}

// stream sends line after line, so that a client sees when they stop coming.
// A stop of the app ends it early, with a line that says so.
func (a *app) stream(w http.ResponseWriter, r *http.Request, answer Answer) {
	n, ok := number(w, r, "n", 10, maxLines)
	if !ok {
		return
	}
	ms, ok := number(w, r, "ms", 100, int(maxWait/time.Millisecond))
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	flush := http.NewResponseController(w).Flush
	for i := range n {
		if i > 0 && !a.wait(r, time.Duration(ms)*time.Millisecond) {
			return
		}
		select {
		case <-a.stopping:
			fmt.Fprintf(w, "%s stops\n", answer.Name)
			return
		default:
		}
		fmt.Fprintf(w, "%s line %d of %d\n", answer.Name, i+1, n)
		if flush() != nil {
			return
		}
	}
}

func (a *app) upload(w http.ResponseWriter, r *http.Request, answer Answer) {
	hash := sha256.New()
	n, err := io.Copy(hash, http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		http.Error(w, fmt.Sprintf("the body broke off after %d bytes: %v", n, err), http.StatusBadRequest)
		return
	}
	writeJSON(w, Uploaded{Name: answer.Name, Bytes: n, SHA256: hex.EncodeToString(hash.Sum(nil))})
}

// wait returns false when the client has gone in the meantime.
func (a *app) wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// number reads a parameter between 0 and limit, or answers 400.
func number(w http.ResponseWriter, r *http.Request, name string, def, limit int) (int, bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return def, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > limit {
		http.Error(w, fmt.Sprintf("%s must be a number from 0 to %d", name, limit), http.StatusBadRequest)
		return 0, false
	}
	return n, true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // an error means that the client has gone
}
