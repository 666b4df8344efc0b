package http1

import "bytes"

// A Request is the head of one request, as Parse found it. Reuse one for many messages: it keeps its storage.
// Slices point into the buffer given to Parse and are good as long as that buffer is.
type Request struct {
	head

	Method    []byte // a token, case-sensitive
	Target    []byte // origin-form ("/a?b"; "?b" means "/?b", left by an absolute-form without a path) or "*"
	Host      []byte // host[:port] of the absolute-form, else of Host; empty only in HTTP/1.0
	Minor     int    // 0 or 1: HTTP/1.Minor
	Body      Body   // None, Length or Chunked
	KeepAlive bool   // the client wishes to go on using the connection (RFC 9112, 9.3)
	Expect100 bool   // the client waits for 100 (Continue) before it sends the body (RFC 9110, 10.1.1)
	Upgrade   []byte // protocols asked for in Upgrade, rightly and none of them HTTP; nil otherwise

	method, target, host span
}

// A span is a place in head.buf.
type span struct{ start, end int }

// Parse reads the head of a request at the start of buf. It returns the length of the head once it is complete,
// (0, nil) while it is not, and an error as soon as one can be known. After (0, nil) call it again with the same
// bytes and more behind them; they may have moved. It goes on where it stopped, so that slow senders cost no more
// than fast ones. After n > 0 or an error, the next call starts a new message. A nil lim means the defaults.
func (r *Request) Parse(buf []byte, lim *Limits) (n int, err *Error) {
	if r.state == stateStart || r.state == stateEnd {
		r.Reset()
	}
	done, c := r.parse(buf, lim.resolved())
	switch {
	case c != ok:
		r.state = stateEnd
		return 0, &refused[c]
	case !done:
		return 0, nil
	}
	r.state = stateEnd
	return r.at, nil
}

// Reset abandons a half-parsed message.
func (r *Request) Reset() {
	r.head.reset()
	*r = Request{head: r.head}
}

// Path is the target without query ("*" for the asterisk-form).
func (r *Request) Path() []byte {
	path, _, _ := bytes.Cut(r.Target, []byte{'?'})
	if len(path) == 0 {
		return rootTarget
	}
	return path
}

var (
	rootTarget     = []byte("/")
	asteriskTarget = []byte("*")
)

// parse looks at buf up to the limits only, so that the result does not depend on how the bytes arrive.
func (r *Request) parse(buf []byte, lim Limits) (done bool, c code) {
	r.buf = buf[:min(len(buf), lim.Head)]
	if r.state == stateStart {
		if started, c := r.start(r.buf); !started {
			return false, c
		}
	}
	if r.state < stateField {
		line, full := r.startLine(lim)
		if done, c = r.requestLine(line); !done {
			if c == ok && full {
				c = longLine
			}
			return false, c
		}
	}
	if done, c = r.scanFields(lim); !done {
		return false, c
	}
	return true, r.finish(lim.Body)
}

// requestLine goes on reading the request line (RFC 9112, 3).
func (r *Request) requestLine(b []byte) (done bool, c code) {
	if r.state == stateMethod {
		i := r.at
		for i < len(b) && class[b[i]]&isToken != 0 {
			i++
		}
		r.at = i
		switch {
		case i-r.line > maxMethod:
			return false, longMethod
		case i == len(b):
			return false, ok
		case b[i] != ' ' || i == r.line:
			return false, badMethod
		}
		r.method = span{r.line, i}
		r.at, r.mark, r.state = i+1, i+1, stateTarget
	}
	if r.state == stateTarget {
		i := r.at
		for i < len(b) && class[b[i]]&isTarget != 0 {
			i++
		}
		r.at = i
		switch {
		case i == len(b):
			return false, ok
		case b[i] != ' ' || i == r.mark:
			return false, badTarget
		}
		r.target = span{r.mark, i}
		r.at, r.state = i+1, stateVersion
	}
	minor, done, c := version(b[r.at:])
	if !done {
		return false, c
	}
	r.Minor = minor
	r.at, r.state = r.at+len(http11), stateField
	c = r.splitTarget()
	return c == ok, c
}

// start skips at most one empty line before the request line (RFC 9112, 2.2).
func (r *Request) start(b []byte) (started bool, c code) {
	switch {
	case len(b) == 0:
		return false, ok
	case b[0] == '\n':
		return false, bareLF
	case b[0] != '\r':
	case len(b) == 1:
		return false, ok
	case b[1] != '\n':
		return false, bareCR
	case len(b) == 2:
		return false, ok
	case b[2] == '\r' || b[2] == '\n':
		return false, emptyLine
	default:
		r.at = 2
	}
	r.line, r.state = r.at, stateMethod
	return true, ok
}

const http11 = "HTTP/1.1\r\n"

// version reads HTTP-version and CRLF at the start of b. HTTP/1.0 and 1.1 only; others are 505 once complete.
func version(b []byte) (minor int, done bool, c code) {
	if len(b) >= len(http11) {
		switch string(b[:len(http11)]) {
		case http11:
			return 1, true, ok
		case "HTTP/1.0\r\n":
			return 0, true, ok
		}
	}
	for i := range min(len(b), len(http11)) {
		isDigits := (i == 5 || i == 7) && class[b[i]]&isDigit != 0
		if b[i] != http11[i] && !isDigits {
			return 0, false, badVersion
		}
	}
	if len(b) >= len(http11) {
		return 0, false, otherVersion
	}
	return 0, false, ok
}

// finish judges the message as a whole, once all of its fields are known.
func (r *Request) finish(maxBody int64) code {
	r.setSlices()
	if c := r.chooseHost(); c != ok {
		return c
	}
	body, c := r.framing(r.Minor)
	if c != ok {
		return c
	}
	if maxBody > 0 && body.Length > maxBody {
		return largeBody
	}
	r.Body = body
	if c := r.connectionOptions(); c != ok {
		return c
	}
	r.KeepAlive = r.persistent(r.Minor)
	if r.seen.has(fieldExpect) {
		if !equalFold(r.last(fieldExpect), "100-continue") {
			return otherExpect
		}
		r.Expect100 = r.Minor == 1 && (body.Kind == Chunked || body.Length > 0)
	}
	if r.Minor == 1 {
		r.Upgrade = r.protocols()
	}
	return ok
}

// chooseHost wants exactly one valid Host in HTTP/1.1 (RFC 9112, 3.2); the authority of an absolute-form replaces it
// (3.2.2).
func (r *Request) chooseHost() code {
	if !r.seen.has(fieldHost) {
		if r.Minor == 1 {
			return hostMissing
		}
		return ok
	}
	f := &r.fields[r.place[fieldHost]]
	host := span{int(f.value), int(f.valueEnd)}
	if !validHost(r.buf[host.start:host.end]) {
		return badHost
	}
	if r.host == (span{}) {
		r.host = host
		r.Host = r.buf[host.start:host.end]
	}
	return ok
}

func (r *Request) setSlices() {
	r.Method = r.buf[r.method.start:r.method.end]
	r.Host = r.buf[r.host.start:r.host.end]
	r.Target = r.buf[r.target.start:r.target.end]
	if len(r.Target) == 0 { // an absolute-form without path and query: RFC 9112, 3.2.1 and 3.2.4
		r.Target = rootTarget
		if string(r.Method) == "OPTIONS" {
			r.Target = asteriskTarget
		}
	}
	if r.Upgrade != nil {
		r.Upgrade = r.last(fieldUpgrade)
	}
}
