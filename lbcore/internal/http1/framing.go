package http1

// framing reads Content-Length and Transfer-Encoding (RFC 9112, 6.1 to 6.3): kind None if there is neither.
func (h *head) framing(minor int) (Body, code) {
	te, cl := h.seen.has(fieldTransferEncoding), h.seen.has(fieldContentLength)
	switch {
	case te && minor == 0:
		return Body{}, teIn10 // 6.1: faulty framing
	case te && cl:
		return Body{}, clAndTE // 6.3, 3
	case te:
		return Body{Kind: Chunked}, transferCoding(h.last(fieldTransferEncoding))
	case cl:
		n, valid := parseDigits(h.last(fieldContentLength))
		if !valid {
			return Body{}, badCL
		}
		return Body{Kind: Length, Length: n}, ok
	}
	return Body{}, ok
}

// transferCoding accepts "chunked" and nothing more, not even empty list elements. A list in which chunked is
// not the last, or stands twice, cannot be framed (RFC 9112, 6.3, 4): 400. Other codings, alone or before chunked, are not
// implemented: 501 (6.1).
func transferCoding(v []byte) code {
	if equalFold(v, "chunked") {
		return ok
	}
	chunked, other := 0, false
	for l := (list{v}); ; {
		item, more := l.next()
		if !more {
			break
		}
		switch {
		case equalFold(item, "chunked"):
			chunked++
		case !tokenOnly(item):
			return badTE // parameters too: no coding that has any is known to us
		case chunked > 0:
			return badTE
		default:
			other = true
		}
	}
	if other && chunked <= 1 {
		return otherTE
	}
	return badTE
}

// connectionOptions reads Connection (RFC 9110, 7.6.1) and marks the fields that it names.
func (h *head) connectionOptions() code {
	if !h.seen.has(fieldConnection) {
		return ok
	}
	names := 0
	for i := range h.fields {
		if h.fields[i].id != fieldConnection {
			continue
		}
		_, v := h.Field(i)
		for l := (list{v}); ; {
			option, more := l.next()
			if !more {
				break
			}
			switch {
			case equalFold(option, "keep-alive"):
				h.keepAlive = true
			case equalFold(option, "close"):
				h.close = true
			case equalFold(option, "upgrade"):
				h.upgrade = true
			case !tokenOnly(option):
				return badConnection
			default:
				if names++; names > maxOptions {
					return manyOptions
				}
				h.markNamed(option)
			}
		}
	}
	return ok
}

func (h *head) markNamed(option []byte) {
	for i := range h.fields {
		f := &h.fields[i]
		if int(f.nameEnd-f.name) != len(option) || kept.has(f.id) {
			continue
		}
		f.named = f.named || sameName(h.buf[f.name:f.nameEnd], option)
	}
}

// sameName compares two names of equal length, but for case.
func sameName(a, b []byte) bool {
	for i := range a {
		if a[i] != b[i] && (fold[a[i]] != fold[b[i]] || a[i] == '_' || b[i] == '_') {
			return false
		}
	}
	return true
}

// persistent is RFC 9112, 9.3.
func (h *head) persistent(minor int) bool {
	return !h.close && (minor == 1 || h.keepAlive)
}

// A list iterates over the elements of a comma-separated value, without the empty ones (RFC 9110, 5.6.1.2).
type list struct{ rest []byte }

func (l *list) next() (item []byte, more bool) {
	for len(l.rest) > 0 {
		i := 0
		for i < len(l.rest) && l.rest[i] != ',' {
			i++
		}
		item, l.rest = trim(l.rest[:i]), l.rest[min(i+1, len(l.rest)):]
		if len(item) > 0 {
			return item, true
		}
	}
	return nil, false
}
