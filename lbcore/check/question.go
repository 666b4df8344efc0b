package check

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Kind is what is asked.
type Kind string

// The kinds of questions.
const (
	TCP  Kind = "tcp"  // a connection, and perhaps a few bytes each way (the default)
	HTTP Kind = "http" // a request, HTTP/1.1 or HTTP/2
	GRPC Kind = "grpc" // grpc.health.v1.Health/Check, over HTTP/2
)

// Bounds of a [Question].
const (
	MaxStatus      = 16      // ranges
	MaxHeaders     = 32      // lines
	MaxSend        = 4096    // bytes
	MaxExpect      = 1024    // bytes of what is looked for
	MaxExpectBytes = 1 << 20 // bytes that it is looked for in
	MaxService     = 256     // bytes of a service's name

	DefaultExpectBytes = 16 << 10
)

// Question is what is asked, and which answer is good. The zero value asks for a connection.
type Question struct {
	Kind Kind `json:"kind"`
	// Port is asked in place of the address's own; 0: that one.
	Port uint16 `json:"port,omitempty"`

	// Method (default GET), Path (default "/"), Headers and HTTP2 are of a request by HTTP.
	// Without TLS, HTTP/2 is spoken without being asked for (prior knowledge).
	Method  string      `json:"method,omitempty"`
	Path    string      `json:"path,omitempty"`
	Headers [][2]string `json:"headers,omitempty"`
	HTTP2   bool        `json:"http2,omitempty"`
	// Host is what HTTP and GRPC ask for; empty: the address that is asked.
	Host string `json:"host,omitempty"`
	// Status are the good ones of HTTP (default 200 to 399).
	Status Statuses `json:"status,omitempty"`

	// Send is the body of a request by HTTP, or what TCP sends first.
	Send string `json:"send,omitempty"`
	// Expect must be in the answer: in the body of one of HTTP, or in what comes over TCP.
	// Pattern, an expression of package regexp, must match it. Both look at its first
	// ExpectBytes only (default DefaultExpectBytes). The pattern looks at a body of HTTP when
	// all of that is there; over TCP, where nothing says that it is, at each piece that comes.
	Expect      string `json:"expect,omitempty"`
	Pattern     string `json:"pattern,omitempty"`
	ExpectBytes int    `json:"expect_bytes,omitempty"`

	// Service is what GRPC asks for; empty: the server as a whole.
	Service string `json:"service,omitempty"`
}

// Statuses are ranges of statuses of HTTP, from the first to the last of each.
type Statuses [][2]int

// String writes them as they are configured: 200-299,401.
func (s Statuses) String() string {
	words := make([]string, len(s))
	for i, r := range s {
		words[i] = strconv.Itoa(r[0])
		if r[1] != r[0] {
			words[i] += "-" + strconv.Itoa(r[1])
		}
	}
	return strings.Join(words, ",")
}

func (s Statuses) has(status int) bool {
	for _, r := range s {
		if status >= r[0] && status <= r[1] {
			return true
		}
	}
	return false
}

// Asker asks one question. It may be used from any goroutine.
type Asker struct {
	q       Question
	url     *url.URL // of HTTP and GRPC, without scheme and host
	pattern *regexp.Regexp
}

// New fills in the defaults of q. The error names all that is wrong with it.
func New(q Question) (*Asker, error) {
	a := &Asker{q: q}
	a.defaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	var err error
	if a.url, err = url.ParseRequestURI(a.q.Path); err != nil || a.q.Path[0] != '/' || !visible(a.q.Path) || !visible(a.q.Host) {
		bad("check of path %q, host %q: want visible ASCII, and a path that begins with /", a.q.Path, a.q.Host)
	}
	if a.q.Pattern != "" {
		if a.pattern, err = regexp.Compile(a.q.Pattern); err != nil {
			bad("check pattern: %w", err)
		}
	}
	a.validate(bad)
	return a, errors.Join(errs...)
}

func (a *Asker) defaults() {
	q := &a.q
	if q.Kind == "" {
		q.Kind = TCP
	}
	if q.Method == "" {
		q.Method = http.MethodGet
	}
	if q.Path == "" {
		q.Path = "/"
	}
	if len(q.Status) == 0 {
		q.Status = Statuses{{200, 399}}
	}
	if q.ExpectBytes == 0 {
		q.ExpectBytes = DefaultExpectBytes
	}
	if q.Kind == GRPC {
		q.Method, q.Path, q.HTTP2 = http.MethodPost, healthPath, true
	}
}

func (a *Asker) validate(bad func(string, ...any)) {
	q := &a.q
	if q.Kind != TCP && q.Kind != HTTP && q.Kind != GRPC {
		bad("check kind %q: want %q, %q or %q", q.Kind, TCP, HTTP, GRPC)
	}
	if strings.Trim(q.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || q.Method == http.MethodConnect {
		bad("check method %q: want one of upper-case letters, and not CONNECT", q.Method)
	}
	for _, r := range q.Status {
		if r[0] < 100 || r[1] > 599 || r[0] > r[1] {
			bad("check status %d to %d: want a range within 100 to 599", r[0], r[1])
		}
	}
	for _, bound := range []struct {
		what      string
		n, atMost int
	}{
		{"ranges of statuses", len(q.Status), MaxStatus},
		{"headers", len(q.Headers), MaxHeaders},
		{"bytes to send", len(q.Send), MaxSend},
		{"bytes to expect", max(len(q.Expect), len(q.Pattern)), MaxExpect},
		{"bytes to look at", q.ExpectBytes, MaxExpectBytes},
		{"bytes of a service's name", len(q.Service), MaxService},
	} {
		if bound.n < 0 || bound.n > bound.atMost {
			bad("check with %d %s: want at most %d", bound.n, bound.what, bound.atMost)
		}
	}
}

// Question returns what is asked, with the defaults.
func (a *Asker) Question() Question { return a.q }

func (a *Asker) expects() bool { return a.q.Expect != "" || a.pattern != nil }

// visible tells whether s is printable ASCII without a space.
func visible(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}
