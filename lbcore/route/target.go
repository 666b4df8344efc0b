package route

import (
	"bytes"
	"fmt"
	"strings"
)

// Rewrites says that rule i changes the path.
func (t *Table) Rewrites(i int) bool {
	return t.rules[i].ReplacePrefix != "" || t.rules[i].Rewrite != ""
}

// AppendPath appends the path that rule i makes of the request's, which it must have met in the
// last Match with s. ok is false where a dot segment would come out.
func (t *Table) AppendPath(dst []byte, i int, r *Request, s *Scratch) (out []byte, ok bool) {
	c, from := &t.rules[i], len(dst)
	switch {
	case c.ReplacePrefix != "":
		dst = append(dst, strings.TrimSuffix(c.ReplacePrefix, "/")...)
		rest := r.Path[sent(r.Path, c.prefix(s.literal)):]
		if len(dst) == from && (len(rest) == 0 || rest[0] != '/') {
			dst = append(dst, '/')
		}
		dst = append(dst, rest...)
	case c.Rewrite != "":
		groups := c.regex.FindSubmatchIndex(s.literal)
		s.reading = c.regex.Expand(s.reading[:0], []byte(c.Rewrite), s.literal, groups)
		dst = appendEscaped(dst, s.reading)
	default:
		return append(dst, r.Path...), true
	}
	dst = oneSlash(dst, from)
	var odd oddity
	var dots bool
	if s.literal, odd, dots = literal(s.literal[:0], dst[from:]); dots && s.dotted(odd) {
		return dst[:from], false
	}
	return dst, true
}

// sent returns how many bytes of a path stand for the first n of its literal form.
func sent(path []byte, n int) int {
	i := 0
	for n > 0 {
		c, k := unescape(path[i:])
		if k == 3 && (c == '/' || c == '%') {
			n -= 2
		}
		n--
		i += k
	}
	return i
}

// oneSlash has what begins at from begin with one slash: "//" would be another host to some.
func oneSlash(b []byte, from int) []byte {
	n := from
	for n+1 < len(b) && b[n] == '/' && b[n+1] == '/' {
		n++
	}
	return append(b[:from], b[n:]...)
}

// appendEscaped appends a literal path as it is sent (RFC 3986, 3.3).
func appendEscaped(dst, path []byte) []byte {
	const hex = "0123456789ABCDEF"
	for i, c := range path {
		kept := c == '%' && i+2 < len(path) && path[i+1] == '2' && (path[i+2] == 'F' || path[i+2] == '5')
		if kept || isPath(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func isPath(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("/-._~!$&'()*+,;=:@", c) >= 0
}

// AppendLocation appends where rule i redirects the request, which it must have met in the
// last Match with s. ok is false where the request does not say which host it means, or as for
// AppendPath.
func (t *Table) AppendLocation(dst []byte, i int, r *Request, s *Scratch) (out []byte, ok bool) {
	from := len(dst)
	for rest := t.rules[i].Redirect; rest != ""; {
		text, word, more := cutWord(rest)
		dst = append(dst, text...)
		switch word {
		case "{host}":
			h := withoutPort(r.Host)
			if len(h) == 0 {
				return dst[:from], false
			}
			dst = append(dst, h...)
		case "{path}":
			at := len(dst)
			if len(r.Path) == 0 || r.Path[0] != '/' {
				dst = append(dst, '/')
				break
			}
			if dst, ok = t.AppendPath(dst, i, r, s); !ok {
				return dst[:from], false
			}
			dst = oneSlash(dst, at)
		case "{query}":
			dst = append(dst, r.Query...)
		}
		rest = more
	}
	return dst, true
}

var words = []string{"{host}", "{path}", "{query}"}

// cutWord cuts a target at its first word in braces.
func cutWord(target string) (text, word, rest string) {
	at, found := len(target), ""
	for _, w := range words {
		if i := strings.Index(target, w); i >= 0 && i < at {
			at, found = i, w
		}
	}
	return target[:at], found, target[at+len(found):]
}

// badTarget says what is wrong with the target of a redirect.
func badTarget(target string) (msg, remedy string) {
	const example = `for example "https://{host}{path}{query}"`
	plain := target
	for _, w := range words {
		plain = strings.ReplaceAll(plain, w, "")
	}
	scheme, rest, _ := strings.Cut(target, "://")
	whole := (scheme == "https" || scheme == "http") && rest != "" && (strings.HasPrefix(rest, "{host}") || !strings.ContainsAny(rest[:1], `/{?#\`))
	switch {
	case !visible([]byte(target)):
		return fmt.Sprintf("%q holds something else than visible ASCII", target), "escape it as in %20"
	case strings.ContainsAny(plain, "{}"):
		return fmt.Sprintf("%q holds a word that is not known", target), "known here: " + strings.Join(words, ", ")
	case whole:
	case strings.HasPrefix(target, "{path}"):
	case strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") && !strings.HasPrefix(target, "/{") && !strings.HasPrefix(target, `/\`):
	default:
		return fmt.Sprintf("%q is no target: it begins neither with http:// or https:// and a host, nor with a path", target), example
	}
	return "", ""
}

func visible(b []byte) bool {
	return bytes.IndexFunc(b, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}
