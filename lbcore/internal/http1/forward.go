package http1

// Forward says how a request goes on to the backend. All text is written as it is: it must not hold CR or LF.
type Forward struct {
	Client  []byte // client's address as text, for X-Forwarded-For; empty: leave X-Forwarded-For out
	Port    []byte // frontend's port, for X-Forwarded-Port; empty: left out
	Proto   []byte // "http" or "https", for X-Forwarded-Proto; empty: left out
	Trusted bool   // the client is a proxy to be believed: Client is appended to its X-Forwarded-For, its other
	// X-Forwarded-* and Forwarded are kept and go before ours. Otherwise they are all dropped and ours put.
	Host      []byte // the Host to send when the client (HTTP/1.0) gave none
	Via       []byte // our pseudonym, appended as "Via: 1.1 <pseudonym>" (RFC 9110, 7.6.3); empty: left out
	Expect100 bool   // pass the client's Expect: 100-continue on; false if the caller answers it itself
	KeepAlive bool   // false adds Connection: close
}

// AppendRequest appends the head to send to a backend: always HTTP/1.1 in origin-form, without hop-by-hop
// fields and those that Connection names, with framing fields of our own making: Content-Length, or
// Transfer-Encoding: chunked, in which case the content must be sent with AppendChunk and AppendLastChunk.
func AppendRequest(dst []byte, r *Request, f *Forward) []byte { panic("coming") }
