package h2

import (
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Reasons for which a message is malformed (RFC 9113, 8.1.1). They are for tests and are not told to the peer.
const (
	badName       = "field name"
	badValue      = "field value"
	badConnection = "connection-specific field"
	badTE         = "te"
	badPseudo     = "pseudo-field"
	badOrder      = "pseudo-field behind others"
	missing       = "pseudo-field missing"
	badTarget     = "path"
	badHost       = "host differs from authority"
	badLength     = "content-length"
	badStatus     = "status"
	badEnd        = "end of an interim answer"
)

// fieldsText appends what is no pseudo-field, and says how long the body is to be. Cookies become one field (8.2.3).
func fieldsText(dst []byte, fields []hpack.HeaderField, trailers bool) (out []byte, length int64, reason string) {
	length = -1
	cookies := 0
	for _, f := range fields {
		switch {
		case strings.HasPrefix(f.Name, ":"):
			if trailers {
				return nil, 0, badPseudo
			}
			continue
		case !validName(f.Name):
			return nil, 0, badName
		case !validValue(f.Value):
			return nil, 0, badValue
		}
		switch f.Name {
		case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
			return nil, 0, badConnection // 8.2.2
		case "te":
			if f.Value != "trailers" {
				return nil, 0, badTE
			}
			continue
		case "content-length":
			n, err := strconv.ParseUint(f.Value, 10, 63)
			if err != nil || f.Value[0] == '+' || length >= 0 || trailers {
				return nil, 0, badLength
			}
			length = int64(n)
			continue
		case "cookie":
			cookies++
			continue
		case "host":
			continue
		}
		dst = appendLine(dst, f.Name, f.Value)
	}
	if cookies > 0 && !trailers {
		dst = append(dst, "cookie: "...)
		for _, f := range fields {
			if f.Name == "cookie" {
				dst = append(dst, f.Value...)
				if cookies--; cookies > 0 {
					dst = append(dst, "; "...)
				}
			}
		}
		dst = append(dst, "\r\n"...)
	}
	return dst, length, ""
}

func appendLine(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// validName wants a token in lower case (8.2.1).
func validName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return name != ""
}

// validValue wants no control byte, and no white space around (8.2.1).
func validValue(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return v == "" || !space(v[0]) && !space(v[len(v)-1])
}

func space(c byte) bool { return c == ' ' || c == '\t' }

// pseudoFields are those of a request (8.3.1) or an answer (8.3.2).
type pseudoFields struct {
	method, scheme, authority, path, status *string
}

// pseudo picks them out. Each may stand once, and before all other fields.
func pseudo(fields []hpack.HeaderField) (p pseudoFields, reason string) {
	behind := false
	for i := range fields {
		f := &fields[i]
		if !strings.HasPrefix(f.Name, ":") {
			behind = true
			continue
		}
		var at **string
		switch f.Name {
		case ":method":
			at = &p.method
		case ":scheme":
			at = &p.scheme
		case ":authority":
			at = &p.authority
		case ":path":
			at = &p.path
		case ":status":
			at = &p.status
		default:
			return p, badPseudo
		}
		switch {
		case behind:
			return p, badOrder
		case *at != nil:
			return p, badPseudo
		case !visible(f.Value):
			return p, badValue
		}
		*at = &f.Value
	}
	return p, ""
}

// visible wants what can stand in a start line.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// requestText makes the HTTP/1.1 head of a request; ended says that nothing follows it.
func requestText(dst []byte, fields []hpack.HeaderField, ended bool) (text []byte, m message, reason string) {
	p, reason := pseudo(fields)
	if reason != "" {
		return nil, m, reason
	}
	host, reason := authority(fields, p.authority)
	switch {
	case reason != "":
		return nil, m, reason
	case p.status != nil:
		return nil, m, badPseudo
	case p.method == nil || *p.method == "":
		return nil, m, missing
	}
	target := ""
	switch connect := *p.method == "CONNECT"; {
	case connect && (p.scheme != nil || p.path != nil || p.authority == nil): // 8.5
		return nil, m, badPseudo
	case connect:
		target = host
	case p.scheme == nil || p.path == nil || *p.path == "":
		return nil, m, missing
	case *p.scheme != "http" && *p.scheme != "https":
		return nil, m, badPseudo
	case (*p.path)[0] != '/' && *p.path != "*":
		return nil, m, badTarget
	default:
		target = *p.path
	}
	dst = append(dst, *p.method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	if host != "" {
		dst = appendLine(dst, "host", host)
	}
	if dst, m.length, reason = fieldsText(dst, fields, false); reason != "" {
		return nil, m, reason
	}
	m.headOnly = *p.method == "HEAD"
	switch {
	case ended && m.length > 0:
		return nil, m, badLength
	case m.length >= 0:
		dst = appendLine(dst, "content-length", strconv.FormatInt(m.length, 10))
	case !ended:
		dst = appendLine(dst, "transfer-encoding", "chunked")
	case *p.method == "POST" || *p.method == "PUT" || *p.method == "PATCH": // RFC 9110, 8.6
		dst = appendLine(dst, "content-length", "0")
	}
	return append(dst, "\r\n"...), m, ""
}

// authority is that of the request, which Host may only repeat (8.3.1).
func authority(fields []hpack.HeaderField, pseudo *string) (host, reason string) {
	some := pseudo != nil
	if some {
		host = *pseudo
	}
	for _, f := range fields {
		if f.Name != "host" {
			continue
		}
		if some && !strings.EqualFold(host, f.Value) || !visible(f.Value) {
			return "", badHost
		}
		some, host = true, f.Value
	}
	return host, ""
}

// responseText makes the HTTP/1.1 head of an answer; headOnly says that it is to HEAD.
func responseText(dst []byte, fields []hpack.HeaderField, ended, headOnly bool) (text []byte, m message, reason string) {
	p, reason := pseudo(fields)
	switch {
	case reason != "":
		return nil, m, reason
	case p.method != nil || p.scheme != nil || p.authority != nil || p.path != nil:
		return nil, m, badPseudo
	case p.status == nil:
		return nil, m, missing
	}
	status := *p.status
	if len(status) != 3 || status[0] < '1' || status[0] > '9' || status == "101" { // 8.6
		return nil, m, badStatus
	}
	m.interim = status[0] == '1'
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, status...)
	dst = append(dst, " \r\n"...)
	if dst, m.length, reason = fieldsText(dst, fields, false); reason != "" {
		return nil, m, reason
	}
	m.bodiless = headOnly || m.interim || status == "204" || status == "304"
	switch {
	case m.interim && ended:
		return nil, m, badEnd
	case ended && m.length > 0 && !m.bodiless:
		return nil, m, badLength
	case m.interim || status == "204":
	case m.length >= 0:
		dst = appendLine(dst, "content-length", strconv.FormatInt(m.length, 10))
	case m.bodiless:
	case ended:
		dst = appendLine(dst, "content-length", "0")
	default:
		dst = appendLine(dst, "transfer-encoding", "chunked")
	}
	return append(dst, "\r\n"...), m, ""
}

// trailerText makes field lines of trailers.
func trailerText(fields []hpack.HeaderField) (text []byte, reason string) {
	text, _, reason = fieldsText(nil, fields, true)
	if len(text) > maxTrailers {
		return nil, badValue
	}
	return text, reason
}

// maxTrailers is what package http1 takes.
const maxTrailers = 8000
