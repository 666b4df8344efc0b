package http1

import "bytes"

// splitTarget judges the request target (RFC 9112, 3.2), once the request line is complete. Its bytes are
// known to be visible ASCII without "#". What remains in r.target is the origin-form; r.host is the authority
// of an absolute-form.
//
// Refused beyond the grammar, because servers disagree about them: in the path, "%" that begins no escape, "%00",
// and "\", which some take for "/". Other characters outside RFC 3986 (as | or ") are passed on: browsers send them.
func (r *Request) splitTarget() code {
	method := r.buf[r.method.start:r.method.end]
	if string(method) == "CONNECT" {
		return connectMethod
	}
	target := r.buf[r.target.start:r.target.end]
	if target[0] != '/' {
		if len(target) == 1 && target[0] == '*' {
			if string(method) != "OPTIONS" {
				return badTargetForm
			}
			return ok
		}
		if c := r.splitAbsolute(target); c != ok {
			return c
		}
		target = r.buf[r.target.start:r.target.end]
	}
	return checkPath(target)
}

// splitAbsolute takes scheme and authority off an absolute-form of http or https (RFC 9112, 3.2.2).
func (r *Request) splitAbsolute(target []byte) code {
	n := 0
	switch {
	case len(target) > 7 && equalFold(target[:4], "http") && string(target[4:7]) == "://":
		n = 7
	case len(target) > 8 && equalFold(target[:5], "https") && string(target[5:8]) == "://":
		n = 8
	default:
		return badTargetForm
	}
	authority := target[n:]
	if i := bytes.IndexAny(authority, "/?"); i >= 0 {
		authority = authority[:i]
	}
	if !validHost(authority) { // user information too: RFC 9110, 4.2.4
		return badTargetForm
	}
	start := r.target.start + n
	r.host = span{start, start + len(authority)}
	r.target.start = r.host.end
	return ok
}

func checkPath(target []byte) code {
	for i := 0; i < len(target) && target[i] != '?'; i++ {
		switch target[i] {
		case '\\':
			return badTargetBackslash
		case '%':
			if i+2 >= len(target) || class[target[i+1]]&isHex == 0 || class[target[i+2]]&isHex == 0 ||
				target[i+1] == '0' && target[i+2] == '0' {
				return badTargetEscape
			}
		}
	}
	return ok
}

// validHost accepts uri-host [ ":" port ] (RFC 9110, 7.2), stricter than RFC 3986: a name or an IPv4 address of
// letters, digits, "-", "." and "_", or an IPv6 address in brackets; a port up to 65535.
func validHost(b []byte) bool {
	i := 0
	if len(b) > 0 && b[0] == '[' {
		colons := 0
		for i = 1; i < len(b) && (class[b[i]]&isHex != 0 || b[i] == ':' || b[i] == '.'); i++ {
			if b[i] == ':' {
				colons++
			}
		}
		if colons < 2 || i == len(b) || b[i] != ']' {
			return false
		}
		i++
	} else {
		for i < len(b) && class[b[i]]&isHost != 0 {
			i++
		}
	}
	if i == 0 {
		return false
	}
	return i == len(b) || b[i] == ':' && validPort(b[i+1:])
}

// validPort accepts *DIGIT (RFC 3986, 3.2.3) up to 65535; it may be empty.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	n, valid := parseDigits(b)
	return valid && len(b) <= 5 && n <= 65535
}
