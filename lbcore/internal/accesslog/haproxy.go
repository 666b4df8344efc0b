package accesslog

import "strconv"

// none stands for what there is not.
const none = "<NOSRV>"

// AppendHAProxy appends a line in the form of HAProxy's option httplog, or tcplog for TCP
// (configuration manual, 8.2.2 and 8.2.3), and a line feed:
//
//	192.0.2.1:40000 [30/Nov/2026:16:04:16.123] http web/s1 0/0/1/12/14 200 243 - - ---- 5/4/1/1/0 0/0 "GET /a HTTP/1.1"
func AppendHAProxy(dst []byte, e *Entry) []byte {
	dst = e.Client.Addr().AppendTo(dst)
	dst = strconv.AppendUint(append(dst, ':'), uint64(e.Client.Port()), 10)
	dst = e.Time.AppendFormat(append(dst, " ["...), "02/Jan/2006:15:04:05.000")
	dst = plain(append(dst, "] "...), e.Frontend)
	if e.TLS {
		dst = append(dst, '~')
	}
	pool, backend := e.Pool, e.Backend
	if pool == "" {
		pool = e.Frontend
	}
	if backend == "" {
		backend = none
	}
	dst = plain(append(dst, ' '), pool)
	dst = plain(append(dst, '/'), backend)
	dst = append(dst, ' ')
	if !e.TCP {
		dst = append(appendMillis(dst, int64(e.Request)), '/')
	}
	dst = append(appendMillis(dst, int64(e.Queue)), '/')
	dst = append(appendMillis(dst, int64(e.Connect)), '/')
	if !e.TCP {
		dst = append(appendMillis(dst, int64(e.Response)), '/')
	}
	dst = append(appendMillis(dst, int64(e.Total)), ' ')
	if !e.TCP {
		status := int64(e.Status)
		if status == 0 {
			status = -1
		}
		dst = append(strconv.AppendInt(dst, status, 10), ' ')
	}
	dst = strconv.AppendUint(dst, e.Out, 10)
	if !e.TCP {
		dst = append(dst, " - -"...)
	}
	dst = append(append(dst, ' '), flag(e.Flags[0]), flag(e.Flags[1]))
	if !e.TCP {
		dst = append(dst, "--"...)
	}
	for i, n := range [4]int64{e.Conns, e.OfFrontend, e.OfPool, e.OfB} {
		dst = strconv.AppendInt(append(dst, " /"[min(i, 1)]), n, 10)
	}
	dst = append(dst, '/')
	if e.Redispatched {
		dst = append(dst, '+')
	}
	dst = append(strconv.AppendInt(dst, int64(e.Retries), 10), " 0/0"...)
	if !e.TCP {
		dst = append(e.appendLine(append(dst, ` "`...)), '"')
	}
	return append(dst, '\n')
}

func flag(c byte) byte {
	if c == 0 {
		return '-'
	}
	return c
}

func appendMillis(dst []byte, d int64) []byte {
	if d < 0 {
		return append(dst, "-1"...)
	}
	return strconv.AppendInt(dst, d/1e6, 10)
}

// appendLine appends the request line.
func (e *Entry) appendLine(dst []byte) []byte {
	if len(e.Method) == 0 {
		return append(dst, "<BADREQ>"...)
	}
	dst = append(encode(dst, e.Method), ' ')
	dst = encode(dst, cut(e.Target))
	return append(dst, e.proto()...)
}

func (e *Entry) proto() string {
	switch {
	case e.HTTP2:
		return " HTTP/2.0"
	case e.Minor == 0:
		return " HTTP/1.0"
	}
	return " HTTP/1.1"
}

// encode writes what is not visible ASCII, and quotes, as "#" and two digits, as HAProxy does.
func encode(dst, s []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range s {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '#' {
			dst = append(dst, '#', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
