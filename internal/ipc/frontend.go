package ipc

import (
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/lbcore/route"
)

// Frontend is one address that clients connect to.
type Frontend struct {
	Name          string        `json:"name"`
	Listen        string        `json:"listen"` // what its sockets are bound to, as configured
	Pool          string        `json:"pool"`
	HeaderTimeout time.Duration `json:"header_timeout"`
	IdleTimeout   time.Duration `json:"idle_timeout"`
	TunnelTimeout time.Duration `json:"tunnel_timeout"`
	ClientTimeout time.Duration `json:"client_timeout"`
	HalfClose     time.Duration `json:"half_close_timeout"`
	MaxHead       int           `json:"max_head"` // bytes of a request's head
	MaxBody       int64         `json:"max_body"` // bytes of a request's body; 0: no bound
	MinRate       int           `json:"min_rate"` // bytes per second of bodies; 0: none is asked for

	Forwarded       string         `json:"forwarded"`         // x-forwarded, forwarded, both or none
	Trusted         []netip.Prefix `json:"trusted,omitempty"` // networks of proxies that are believed
	Via             string         `json:"via,omitempty"`     // our pseudonym; empty: none
	Mode            string         `json:"mode,omitempty"`    // http or tcp
	SNI             [][2]string    `json:"sni,omitempty"`     // server name and pool
	AcceptProxy     []netip.Prefix `json:"accept_proxy,omitempty"`
	TLS             *TLS           `json:"tls,omitempty"` // nil: plain
	HTTP2           HTTP2          `json:"http2"`
	RedirectHTTPS   int            `json:"redirect_https,omitempty"` // port; 0: requests are served
	ResponseHeaders [][2]string    `json:"response_headers,omitempty"`
	Rules           []route.Rule   `json:"rules,omitempty"`      // in their order
	LogFormat       string         `json:"log_format,omitempty"` // of the access log: json or haproxy; empty: nothing is written
	LogSample       int            `json:"log_sample,omitempty"` // one of so many that went well is
	ErrorPages      []ErrorPage    `json:"error_pages,omitempty"`
	MaxConn         int            `json:"maxconn,omitempty"` // open connections; 0: no bound
	Sources         Sources        `json:"sources"`
}

// Sources is what each source may do, and which there may be.
type Sources struct {
	Allow   []netip.Prefix `json:"allow,omitempty"`
	Deny    []netip.Prefix `json:"deny,omitempty"`
	MaxConn int            `json:"maxconn,omitempty"` // open connections of one; 0: no bound
	Rate    *route.Rate    `json:"rate,omitempty"`
	Prefix6 int            `json:"prefix6"` // bits of an IPv6 address that make a source
	Table   int            `json:"table"`   // sources that are remembered
}

// HTTP2 is how HTTP/2 is spoken with clients.
type HTTP2 struct {
	Enabled      bool `json:"enabled"`
	H2C          bool `json:"h2c"`
	MaxStreams   int  `json:"max_concurrent_streams"`
	StreamWindow int  `json:"stream_window"` // bytes
	Window       int  `json:"window"`
}

// ErrorPage is the body of the proxy's own answers with a status.
type ErrorPage struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Body   []byte `json:"body"`
}

// AccessLog brings one descriptor, to which the access log is to be written from now on; or
// none, and there is none any more.
type AccessLog struct{}

func (*AccessLog) kind() Kind { return kindAccessLog }

// Routes are the rules of a frontend, for whoever asks which one a request meets.
type Routes struct {
	Frontend string       `json:"frontend"`
	Listen   string       `json:"listen"`
	TLS      bool         `json:"tls"`
	Pool     string       `json:"pool,omitempty"`  // of what meets no rule; empty: it is answered with 404
	HTTPS    int          `json:"https,omitempty"` // port; not 0: everything is redirected there
	Rules    []route.Rule `json:"rules"`

	Allow []netip.Prefix `json:"allow,omitempty"` // clients that are let in; none: all are
	Deny  []netip.Prefix `json:"deny,omitempty"`  // and those that are not
}
