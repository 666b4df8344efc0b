package accesslog

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends a line of JSON. What there is not, is left out. Times are in milliseconds.
func AppendJSON(dst []byte, e *Entry) []byte {
	dst = e.Time.UTC().AppendFormat(append(dst, `{"time":"`...), "2006-01-02T15:04:05.000Z")
	dst = quote(append(dst, `","frontend":`...), []byte(e.Frontend))
	dst = e.Client.AppendTo(append(dst, `,"client":"`...))
	dst = append(dst, '"')
	if e.Source.IsValid() && e.Source != e.Client.Addr() {
		dst = append(e.Source.AppendTo(append(dst, `,"source":"`...)), '"')
	}
	if e.TLS {
		dst = append(dst, `,"tls":true`...)
	}
	if !e.TCP && len(e.Method) > 0 {
		dst = quote(append(dst, `,"method":`...), e.Method)
		dst = optional(dst, `,"host":`, e.Host)
		dst = quote(append(dst, `,"target":`...), cut(e.Target))
		dst = append(append(append(dst, `,"proto":"`...), e.proto()[1:]...), '"')
	}
	dst = optional(dst, `,"rule":`, []byte(e.Rule))
	dst = optional(dst, `,"pool":`, []byte(e.Pool))
	dst = optional(dst, `,"backend":`, []byte(e.Backend))
	if e.Status != 0 {
		dst = strconv.AppendInt(append(dst, `,"status":`...), int64(e.Status), 10)
	}
	dst = strconv.AppendUint(append(dst, `,"bytes_in":`...), e.In, 10)
	dst = strconv.AppendUint(append(dst, `,"bytes_out":`...), e.Out, 10)
	dst = millis(dst, `,"request_ms":`, e.Request)
	dst = millis(dst, `,"queue_ms":`, e.Queue)
	dst = millis(dst, `,"connect_ms":`, e.Connect)
	dst = millis(dst, `,"response_ms":`, e.Response)
	dst = millis(dst, `,"total_ms":`, e.Total)
	if e.Retries > 0 {
		dst = strconv.AppendInt(append(dst, `,"retries":`...), int64(e.Retries), 10)
	}
	dst = append(append(dst, `,"flags":"`...), flag(e.Flags[0]), flag(e.Flags[1]), '"')
	dst = optional(dst, `,"reason":`, []byte(e.Reason))
	dst = optional(dst, `,"user_agent":`, e.UserAgent)
	dst = optional(dst, `,"referer":`, e.Referer)
	return append(dst, "}\n"...)
}

func optional(dst []byte, key string, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	return quote(append(dst, key...), cut(value))
}

func millis(dst []byte, key string, d time.Duration) []byte {
	if d < 0 {
		return dst
	}
	return strconv.AppendFloat(append(dst, key...), float64(d.Microseconds())/1e3, 'f', -1, 64)
}

// quote appends s as a string of JSON; what is not UTF-8 becomes U+FFFD.
func quote(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRune(s[i:])
			if r == 0x2028 || r == 0x2029 { // which end a line for some
				dst = append(dst, '\\', 'u', '2', '0', '2', hex[r&15])
			} else {
				dst = utf8.AppendRune(dst, r)
			}
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}
