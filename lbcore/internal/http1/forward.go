package http1

import "strconv"

// Forward says how a request goes on to the backend. All text is written as it is: it must not hold CR or LF.
type Forward struct {
	Client []byte // client's address as text, for X-Forwarded-For; empty: left out
	Port   []byte // frontend's port, for X-Forwarded-Port; empty: left out
	Proto  []byte // "http" or "https", for X-Forwarded-Proto; empty: left out
	Hop    []byte // our element of Forwarded (RFC 7239, 4), as "for=192.0.2.1;proto=http"; empty: left out

	// Trusted says that the client is a proxy to be believed: Client is appended to its X-Forwarded-For, Hop to
	// its Forwarded, and its other X-Forwarded-* go on and go before ours. Otherwise all of them are dropped, so
	// that no client can lie about itself.
	Trusted bool

	Host      []byte  // the Host to send when the client (HTTP/1.0) gave none
	SetHost   []byte  // the Host to send in any case; empty: the client's
	Target    []byte  // the target to send, in origin-form; empty: the client's
	Set       *Fields // what changes of the other fields; nil: nothing
	Via       []byte  // our pseudonym, appended as "Via: 1.1 <pseudonym>" (RFC 9110, 7.6.3); empty: left out
	HTTP2     bool    // the request came in HTTP/2, and Via says so
	Trailers  bool    // trailers go on, and Trailer with them
	Expect100 bool    // pass the client's Expect: 100-continue on; false if the caller answers it itself
	Upgrade   bool    // ask for the protocols of Request.Upgrade, if there are any
	KeepAlive bool    // false adds Connection: close
}

// AppendRequest appends the head to send to a backend: always HTTP/1.1 in origin-form, without hop-by-hop
// fields and those that Connection names, with framing fields of our own making: Content-Length, or
// Transfer-Encoding: chunked, in which case the content must be sent with AppendChunk and LastChunk.
func AppendRequest(dst []byte, r *Request, f *Forward) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	switch {
	case len(f.Target) > 0:
		dst = append(dst, f.Target...)
	case r.Target[0] == '?':
		dst = append(dst, '/')
		fallthrough
	default:
		dst = append(dst, r.Target...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	switch {
	case len(f.SetHost) > 0:
		dst = append(dst, f.SetHost...)
	case len(r.Host) > 0:
		dst = append(dst, r.Host...)
	default:
		dst = append(dst, f.Host...)
	}
	dst = append(dst, "\r\n"...)

	drop := hopByHop | rewritten
	if !f.Trusted {
		drop |= forwarded
	}
	if f.Trailers {
		drop &^= 1 << fieldTrailer
	}
	if len(f.Client) > 0 {
		drop |= 1 << fieldForwardedFor // written anew, as one line
	}
	if len(f.Hop) > 0 {
		drop |= 1 << fieldForwarded // so too
	}
	f.Set.replaces(&r.head)
	dst = r.appendFields(dst, drop)
	dst = f.Set.Append(dst)
	dst = r.appendForwarded(dst, f)
	if f.HTTP2 && len(f.Via) > 0 {
		dst = appendField(dst, "Via: 2.0 ", f.Via)
	} else {
		dst = appendVia(dst, r.Minor, f.Via)
	}
	if f.Expect100 && r.Expect100 {
		dst = append(dst, "Expect: 100-continue\r\n"...)
	}
	dst = appendFraming(dst, r.Body)
	if f.Upgrade && len(r.Upgrade) > 0 {
		dst = appendUpgrade(dst, r.Upgrade)
	}
	if !f.KeepAlive {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// appendFields appends all fields but those in drop and those that Connection names. Lines that stand together
// and need no change are copied at once.
func (h *head) appendFields(dst []byte, drop fieldSet) []byte {
	from, to := 0, 0 // lines to copy
	for i := range h.fields {
		f := &h.fields[i]
		if drop.has(f.id) || f.named {
			continue
		}
		if f.plain && int(f.name) == to {
			to = int(f.valueEnd) + len("\r\n")
			continue
		}
		dst = append(dst, h.buf[from:to]...)
		if f.plain {
			from, to = int(f.name), int(f.valueEnd)+len("\r\n")
			continue
		}
		from, to = 0, 0
		dst = append(dst, h.buf[f.name:f.nameEnd]...)
		dst = append(dst, ':')
		if f.value < f.valueEnd {
			dst = append(dst, ' ')
		}
		dst = append(dst, h.buf[f.value:f.valueEnd]...)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, h.buf[from:to]...)
}

func (r *Request) appendForwarded(dst []byte, f *Forward) []byte {
	if len(f.Client) > 0 {
		dst = append(dst, "X-Forwarded-For: "...)
		dst = appendField(r.appendEarlier(dst, fieldForwardedFor, f.Trusted), "", f.Client)
	}
	if len(f.Hop) > 0 {
		dst = append(dst, "Forwarded: "...)
		dst = appendField(r.appendEarlier(dst, fieldForwarded, f.Trusted), "", f.Hop)
	}
	if len(f.Port) > 0 && !(f.Trusted && r.seen.has(fieldForwardedPort)) {
		dst = appendField(dst, "X-Forwarded-Port: ", f.Port)
	}
	if len(f.Proto) > 0 && !(f.Trusted && r.seen.has(fieldForwardedProto)) {
		dst = appendField(dst, "X-Forwarded-Proto: ", f.Proto)
	}
	return dst
}

// appendEarlier appends what earlier proxies have said in a field that is a list, if they are trusted.
func (r *Request) appendEarlier(dst []byte, id fieldID, trusted bool) []byte {
	if !trusted || !r.seen.has(id) {
		return dst
	}
	for i := range r.fields {
		if r.fields[i].id != id {
			continue
		}
		if _, v := r.Field(i); len(v) > 0 {
			dst = append(dst, v...)
			dst = append(dst, ", "...)
		}
	}
	return dst
}

func appendField(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// appendVia names the version in which the message came (RFC 9110, 7.6.3).
func appendVia(dst []byte, minor int, pseudonym []byte) []byte {
	if len(pseudonym) == 0 {
		return dst
	}
	dst = append(dst, "Via: 1."...)
	dst = append(dst, '0'+byte(minor), ' ')
	return appendField(dst, "", pseudonym)
}

func appendFraming(dst []byte, b Body) []byte {
	switch b.Kind {
	case Length:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, b.Length, 10)
		dst = append(dst, "\r\n"...)
	case Chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	return dst
}
