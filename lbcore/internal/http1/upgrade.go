package http1

import "bytes"

// maxUpgrade bounds the protocols of one Upgrade field, in bytes.
const maxUpgrade = 128

// protocols returns the value of Upgrade if Connection names it and it is one line of well-formed protocols (RFC 9110,
// 7.8) that may be switched to; nil otherwise. HTTP/2 without TLS is not among them: requests inside it would pass
// every rule by.
func (h *head) protocols() []byte {
	if !h.upgrade || !h.seen.has(fieldUpgrade) {
		return nil
	}
	lines := 0
	for i := range h.fields {
		if h.fields[i].id == fieldUpgrade {
			lines++
		}
	}
	v := h.last(fieldUpgrade)
	if lines > 1 || len(v) > maxUpgrade {
		return nil
	}
	some := false
	for l := (list{v}); ; {
		p, more := l.next()
		if !more {
			break
		}
		if !isProtocol(p) {
			return nil
		}
		some = true
	}
	if !some {
		return nil
	}
	return v
}

// isProtocol wants name[/version] and a name that is not one of HTTP's.
func isProtocol(p []byte) bool {
	name, version, versioned := bytes.Cut(p, []byte{'/'})
	if len(name) == 0 || !tokenOnly(name) || versioned && (len(version) == 0 || !tokenOnly(version)) {
		return false
	}
	return !equalFold(name, "h2c") && !equalFold(name, "h2") && !equalFold(name, "http")
}

// among reports whether each protocol of a is one of b, but for case.
func among(a, b []byte) bool {
	for l := (list{a}); ; {
		p, more := l.next()
		if !more {
			return true
		}
		if !listHas(b, p) {
			return false
		}
	}
}

func listHas(v, p []byte) bool {
	for l := (list{v}); ; {
		item, more := l.next()
		if !more {
			return false
		}
		if len(item) == len(p) && sameName(item, p) {
			return true
		}
	}
}

// appendUpgrade asks for, or confirms, the switch to other protocols.
func appendUpgrade(dst, protocols []byte) []byte {
	dst = appendField(dst, "Upgrade: ", protocols)
	return append(dst, "Connection: upgrade\r\n"...)
}
