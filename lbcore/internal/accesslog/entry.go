// Package accesslog writes what has become of a request, or of a TCP connection, as a line: in
// JSON, or as HAProxy does with option httplog or tcplog, for the tools that read that. It is
// pure: it waits for nothing, keeps nothing, and in steady state allocates nothing.
//
// Whatever a client sends, a line stays one line: bytes that could end it, or a field of it,
// are escaped.
package accesslog

import (
	"net/netip"
	"time"
)

// Never stands for how long a phase took that was not reached.
const Never time.Duration = -1

// MaxField bounds each text of a client, in bytes; what is longer is cut.
const MaxField = 2048

// Entry is one request or TCP connection. All but Time and Frontend may be zero; texts are not kept.
type Entry struct {
	Time     time.Time // when its first byte came
	Frontend string
	Client   netip.AddrPort
	Source   netip.Addr // whose request it is, where limits go by it; JSON tells it where it is another than Client
	TCP      bool       // there is no request
	TLS      bool

	Method, Host, Target, UserAgent, Referer []byte // Method is empty if the request was not understood
	Minor                                    int    // of HTTP/1
	HTTP2                                    bool

	Rule, Pool, Backend string
	Status              int // 0: none was sent
	In, Out             uint64

	// How long the phases took; Never for one that was not reached.
	Request  time.Duration // from its first byte until its head was whole
	Queue    time.Duration // until the first attempt on a backend
	Connect  time.Duration // until there was a connection to the backend that answered
	Response time.Duration // until the head of its answer had come
	Total    time.Duration // from the first byte until the last one of the answer was with the kernel

	// Flags say how it ended, as HAProxy's first two do: who ended it (C and c the client, by its
	// own will or a timeout; S and s the backend; P this proxy; L this proxy, as it should; - nobody),
	// and in which phase (R the request, Q the queue, C the connection, H the head of the answer, D data, - none).
	Flags  [2]byte
	Reason string // why the proxy ended it, a stable word

	Retries                        int
	Redispatched                   bool
	Conns, OfFrontend, OfPool, OfB int64 // connections and requests under way, as HAProxy's actconn, feconn, beconn and srv_conn
}

// plain appends a text with what could end a field or a line as '_'.
func plain(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '"' {
			dst = append(dst, '_')
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

func cut(b []byte) []byte { return b[:min(len(b), MaxField)] }
