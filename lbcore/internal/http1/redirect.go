package http1

import (
	"bytes"
	"strconv"
)

// AppendRedirect appends a whole response that sends the client to the same target over HTTPS, on port. It is 301
// for what is read, and 308, by which the method stays, for the rest (RFC 9110, 15.4). It reports false, and appends
// nothing, where the request does not say which host it means.
func AppendRedirect(dst []byte, r *Request, port int, closeConn bool, set *Fields) ([]byte, bool) {
	host := hostOnly(r.Host)
	if len(host) == 0 {
		return dst, false
	}
	switch string(r.Method) {
	case "GET", "HEAD":
		dst = append(dst, "HTTP/1.1 301 Moved Permanently\r\nLocation: https://"...)
	default:
		dst = append(dst, "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://"...)
	}
	dst = append(dst, host...)
	if port != 443 {
		dst = strconv.AppendInt(append(dst, ':'), int64(port), 10)
	}
	switch {
	case len(r.Target) == 0 || r.Target[0] != '/' && r.Target[0] != '?': // "*"
		dst = append(dst, '/')
	case r.Target[0] == '?':
		dst = append(append(dst, '/'), r.Target...)
	default:
		dst = append(dst, r.Target...)
	}
	dst = set.Append(append(dst, "\r\nContent-Length: 0\r\n"...))
	if closeConn {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...), true
}

// hostOnly drops the port.
func hostOnly(host []byte) []byte {
	if i := bytes.LastIndexByte(host, ':'); i >= 0 && bytes.IndexByte(host[i:], ']') < 0 {
		return host[:i]
	}
	return host
}
