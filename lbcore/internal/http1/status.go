package http1

import "strconv"

// Continue is the interim response 100 (Continue), whole.
const Continue = "HTTP/1.1 100 Continue\r\n\r\n"

// reasons are the statuses that a balancer answers by itself.
var reasons = [600]string{
	400: "Bad Request",
	403: "Forbidden",
	404: "Not Found",
	408: "Request Timeout",
	411: "Length Required",
	413: "Content Too Large",
	414: "URI Too Long",
	417: "Expectation Failed",
	421: "Misdirected Request",
	429: "Too Many Requests",
	431: "Request Header Fields Too Large",
	500: "Internal Server Error",
	501: "Not Implemented",
	502: "Bad Gateway",
	503: "Service Unavailable",
	504: "Gateway Timeout",
	505: "HTTP Version Not Supported",
}

// AppendError appends a whole small response whose text body (left out if headOnly) is the status and its reason.
// set are fields that it is given. Statuses: 400 403 404 408 411 413 414 417 421 429 431 500 501 502 503 504 505; others become 500. closeConn adds
// Connection: close; without it the connection of a HTTP/1.0 client must be closed all the same.
func AppendError(dst []byte, status int, closeConn, headOnly bool, set *Fields) []byte {
	if status < 0 || status >= len(reasons) || reasons[status] == "" {
		status = 500
	}
	reason := reasons[status]
	dst = append(dst, "HTTP/1.1 "...)
	dst = appendStatus(dst, status, reason)
	dst = append(dst, "\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len("000 ")+len(reason)+len("\n")), 10)
	dst = set.Append(append(dst, "\r\n"...))
	if closeConn {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	if headOnly {
		return dst
	}
	return append(appendStatus(dst, status, reason), '\n')
}

func appendStatus(dst []byte, status int, reason string) []byte {
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	return append(dst, reason...)
}
