package route

import "net/netip"

// Rule says which requests it is for, and what becomes of them: they go to Pool, or are
// redirected (Redirect), or are answered (Status); with none of the three they go where the
// frontend sends what meets no rule. All slices may be empty.
type Rule struct {
	Name string `json:"name"`

	Hosts    []string    `json:"host,omitempty"`        // exact, or "*.example.com", which stands for one label
	Methods  []string    `json:"method,omitempty"`      // as they are sent: upper case
	Paths    []string    `json:"path,omitempty"`        // whole paths
	Prefixes []string    `json:"path_prefix,omitempty"` // "/api" is for "/api" and all below "/api/", and not for "/apix"
	Regex    string      `json:"path_regex,omitempty"`  // RE2, at most MaxRegex bytes; "" is none; "." stands for any byte
	Headers  [][2]string `json:"header,omitempty"`      // name and whole value of one of its lines; "" is any value

	Sources []netip.Prefix `json:"source,omitempty"` // networks of clients

	BodyLimit int64 `json:"max_body,omitempty"` // bytes of a request's body; more is answered with 413; 0: what the frontend says

	Rate *Rate `json:"source_rate,omitempty"` // what is more than that of those it fits is answered with 429; nil: no limit

	Pool        string `json:"pool,omitempty"`
	Redirect    string `json:"redirect,omitempty"`     // a target with {host}, {path} and {query}
	Status      int    `json:"status,omitempty"`       // of the redirect (default 302), or of the answer (200 to 599)
	Body        string `json:"body,omitempty"`         // of the answer, at most MaxBody bytes; "" is the status and its reason
	ContentType string `json:"content_type,omitempty"` // of Body; default "text/plain; charset=utf-8"

	ReplacePrefix string `json:"replace_prefix,omitempty"` // what fits Prefixes becomes this; "/" takes it off
	Rewrite       string `json:"rewrite,omitempty"`        // the path becomes this, with $1 or ${name} for groups of Regex

	// Name and value of header lines. Set goes in place of what client or backend sent.
	SetRequest     [][2]string `json:"set_request_headers,omitempty"`
	AddRequest     [][2]string `json:"add_request_headers,omitempty"`
	RemoveRequest  []string    `json:"remove_request_headers,omitempty"`
	SetResponse    [][2]string `json:"set_response_headers,omitempty"`
	AddResponse    [][2]string `json:"add_response_headers,omitempty"`
	RemoveResponse []string    `json:"remove_response_headers,omitempty"`
}

// Bounds of a Rule.
const (
	MaxRules   = 1000 // of a frontend
	MaxItems   = 100  // of each list
	MaxText    = 4096 // bytes of a path, target or header value
	MaxRegex   = 1024 // bytes
	MaxProgram = 1000 // instructions of a compiled regular expression: each byte of a path costs at most so many steps
	MaxBody    = 8192 // bytes
)

// Request is what rules look at. Nothing is kept of it.
type Request struct {
	Method []byte
	Host   []byte // with a port or not
	Path   []byte // as it was sent, without query; "*" fits no path
	Query  []byte // with its question mark; may be empty
	Fields Fields
	Source netip.Addr // of the client; an invalid one is in no network
}

// Fields are the header lines of a request. http1.Request is one.
type Fields interface {
	NumFields() int
	Field(i int) (name, value []byte)
}

// Scratch is memory that Match uses over and over. It belongs to one goroutine.
type Scratch struct {
	host, literal, reading, other []byte
}
