package http1

// A Response is the head of one response, as Parse found it. Reuse and slices as for Request.
type Response struct {
	head

	Minor         int    // 0 or 1: HTTP/1.Minor
	Status        int    // 100 to 999
	Reason        []byte // may be empty
	Body          Body   // what follows on the wire: None for 1xx, 204, 304 and answers to HEAD
	ContentLength int64  // value of Content-Length, -1 if absent; says something even where Body is None
	KeepAlive     bool   // the backend's connection may be used again once this, the final response, has been read
	Upgrade       []byte // what a 101 switches to: from behind this head on the connection is no longer HTTP; else nil

	reason span
}

// Asked is what must be known of the request to read its response.
type Asked struct {
	Head    bool   // its method is HEAD
	Upgrade []byte // the protocols of Request.Upgrade that were forwarded; empty if none
}

// Parse reads the head of a response at the start of buf, as Request.Parse does. Every error has Status 502. Interim
// responses (1xx) are reported like others: see Interim. A 101 is an error unless it switches to what was asked for.
func (r *Response) Parse(buf []byte, lim *Limits, asked Asked) (n int, err *Error) {
	if r.state == stateStart || r.state == stateEnd {
		r.Reset()
	}
	done, c := r.parse(buf, lim.resolved(), asked)
	switch {
	case c != ok:
		r.state = stateEnd
		return 0, &badGateway[c]
	case !done:
		return 0, nil
	}
	r.state = stateEnd
	return r.at, nil
}

// Interim says that another response to the same request follows: 1xx, but not 101.
func (r *Response) Interim() bool { return r.Status < 200 && r.Status != 101 }

// Reset abandons a half-parsed message.
func (r *Response) Reset() {
	r.head.reset()
	r.response = true
	*r = Response{head: r.head}
}

func (r *Response) parse(buf []byte, lim Limits, asked Asked) (done bool, c code) {
	r.buf = buf[:min(len(buf), lim.Head)]
	if r.state < stateField {
		line, full := r.startLine(lim)
		if done, c = r.statusLine(line); !done {
			if c == ok && full {
				c = longLine
			}
			return false, c
		}
	}
	if done, c = r.scanFields(lim); !done {
		return false, c
	}
	return true, r.finish(asked)
}

const statusStart = "HTTP/1.1 200"

// statusLine goes on reading the status line (RFC 9112, 4). The space behind the code may be missing where the reason is.
func (r *Response) statusLine(b []byte) (done bool, c code) {
	if r.state == stateStart {
		for i := range min(len(b), len(statusStart)) {
			isDigits := i == 7 || i >= 9
			switch {
			case isDigits && class[b[i]]&isDigit == 0, !isDigits && b[i] != statusStart[i]:
				return false, badStatusLine
			case i == 7 && b[i] > '1':
				return false, otherVersion
			case i == 9 && b[i] == '0':
				return false, badStatus
			}
		}
		if len(b) <= len(statusStart) {
			return false, ok
		}
		r.Minor = int(b[7] - '0')
		r.Status = int(b[9]-'0')*100 + int(b[10]-'0')*10 + int(b[11]-'0')
		r.at, r.state = len(statusStart), stateReason
		switch b[r.at] {
		case ' ':
			r.at++
		case '\r':
		default:
			return false, badStatusLine
		}
		r.mark = r.at
	}
	r.at = skipText(b, r.at)
	end, c := lineEnd(b, r.at)
	if !end {
		return false, c
	}
	r.reason = span{r.mark, r.at}
	r.at, r.state = r.at+2, stateField
	return true, ok
}

func (r *Response) finish(asked Asked) code {
	r.Reason = r.buf[r.reason.start:r.reason.end]
	body, c := r.framing(r.Minor)
	if c != ok {
		return c
	}
	if c := r.connectionOptions(); c != ok {
		return c
	}
	if r.Status == 101 {
		r.Upgrade = r.protocols()
		framed := body.Kind == Chunked || body.Length > 0
		if r.Minor == 0 || framed || len(r.Upgrade) == 0 || !among(r.Upgrade, asked.Upgrade) {
			return switching
		}
	}
	r.ContentLength = -1
	if body.Kind == Length {
		r.ContentLength = body.Length
	}
	r.KeepAlive = r.persistent(r.Minor)
	switch {
	case r.noContent():
		// RFC 9110, 8.6: such a response must not announce content. If it does, some may follow.
		r.KeepAlive = r.KeepAlive && body.Kind != Chunked && body.Length == 0
	case asked.Head || r.Status == 304:
	case body.Kind == None:
		r.Body, r.KeepAlive = Body{Kind: UntilClose}, false
	default:
		r.Body = body
	}
	return ok
}

// noContent is true for 1xx and 204: neither content nor framing fields.
func (r *Response) noContent() bool { return r.Status < 200 || r.Status == 204 }
