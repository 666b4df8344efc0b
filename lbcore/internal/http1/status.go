package http1

import "strconv"

// Continue is the interim response 100 (Continue), whole.
const Continue = "HTTP/1.1 100 Continue\r\n\r\n"

// reasons are the names of statuses (RFC 9110, 15, and IANA's list).
var reasons = [600]string{
	200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content",
	301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect", 308: "Permanent Redirect",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed",
	413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed",
	421: "Misdirected Request", 422: "Unprocessable Content", 423: "Locked", 425: "Too Early", 426: "Upgrade Required",
	428: "Precondition Required", 429: "Too Many Requests", 431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
	505: "HTTP Version Not Supported", 507: "Insufficient Storage", 511: "Network Authentication Required",
}

// otherReasons stand for statuses that have no name here, by class.
var otherReasons = [6]string{2: "Success", 3: "Redirection", 4: "Client Error", 5: "Server Error"}

// reasonOf names a status from 200 to 599.
func reasonOf(status int) string {
	if r := reasons[status]; r != "" {
		return r
	}
	return otherReasons[status/100]
}

// An Answer is a whole response that a balancer gives itself.
type Answer struct {
	Status    int    // 200 to 599
	Location  []byte // of a redirect; empty: none
	Type      string // Content-Type of Body
	Body      []byte // left out for HEAD, and of 204 and 304
	NoStore   bool   // adds Cache-Control: no-store
	CloseConn bool   // adds Connection: close; without it the connection of a HTTP/1.0 client must be closed all the same
	HeadOnly  bool   // the request was HEAD
	Set       *Fields

	RetryAfter int // seconds; 0: it is not said
}

// AppendAnswer appends a whole response.
func AppendAnswer(dst []byte, a *Answer) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = appendStatus(dst, a.Status, reasonOf(a.Status))
	dst = append(dst, "\r\n"...)
	if len(a.Location) > 0 {
		dst = appendField(dst, "Location: ", a.Location)
	}
	empty := a.Status == 204 || a.Status == 304
	if len(a.Body) > 0 && !empty {
		dst = append(dst, "Content-Type: "...)
		dst = append(append(dst, a.Type...), "\r\n"...)
	}
	if a.RetryAfter > 0 {
		dst = append(dst, "Retry-After: "...)
		dst = append(strconv.AppendInt(dst, int64(a.RetryAfter), 10), "\r\n"...)
	}
	if a.NoStore {
		dst = append(dst, "Cache-Control: no-store\r\n"...)
	}
	if !empty {
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, int64(len(a.Body)), 10), "\r\n"...)
	}
	dst = a.Set.Append(dst)
	if a.CloseConn {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	if a.HeadOnly || empty {
		return dst
	}
	return append(dst, a.Body...)
}

// AppendError appends a, whose text body (left out for HEAD) becomes the status and its reason, and which nobody
// shall store. A status that is not from 200 to 599 becomes 500.
func AppendError(dst []byte, a *Answer) []byte {
	e := *a
	if e.Status < 200 || e.Status > 599 {
		e.Status = 500
	}
	var room [64]byte
	e.Type, e.NoStore = "text/plain; charset=utf-8", true
	e.Body = append(appendStatus(room[:0], e.Status, reasonOf(e.Status)), '\n')
	return AppendAnswer(dst, &e)
}

func appendStatus(dst []byte, status int, reason string) []byte {
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	return append(dst, reason...)
}
