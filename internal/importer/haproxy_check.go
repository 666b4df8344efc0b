package importer

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// httpchk reads option httpchk [METHOD] URI [VERSION], where the version may bring headers
// (configuration.txt, 4.2).
func (p *proxy) httpchk(d directive) (string, string) {
	if p.pool == nil {
		return Left, "it belongs to a backend"
	}
	method, uri, version := "OPTIONS", "/", ""
	switch w := d.words[2:]; len(w) {
	case 0:
	case 1:
		uri = w[0]
	default:
		method, uri, version = w[0], w[1], strings.Join(w[2:], " ")
	}
	p.pool.set("check.http", quote(uri), d.place)
	note := p.method(method, d)
	for _, line := range strings.Split(version, "\n")[1:] {
		if name, value, is := strings.Cut(strings.TrimSpace(line), ":"); is {
			p.header(name, strings.TrimSpace(value), d)
		}
	}
	if note != "" {
		return Changed, note
	}
	return Taken, "check.http"
}

// method sets by which method is asked, and says so where it is another.
func (p *proxy) method(method string, d directive) (note string) {
	p.pool.lines = slices.DeleteFunc(p.pool.lines, func(l line) bool { return l.key == "check.method" })
	switch method {
	case "GET": // as it is without
	case "HEAD", "OPTIONS", "POST", "PUT":
		p.pool.set("check.method", quote(method), d.place)
	default:
		return "it is asked for by GET: there is no check by " + method
	}
	return ""
}

// header sets a header of a check.
func (p *proxy) header(name, value string, d directive) {
	if strings.EqualFold(name, "host") {
		p.pool.set("check.host", quote(value), d.place)
		return
	}
	one := quote(name + ": " + value)
	for i := range p.pool.lines {
		if l := &p.pool.lines[i]; l.key == "check.headers" {
			l.value = strings.TrimSuffix(l.value, "]") + ", " + one + "]"
			return
		}
	}
	p.pool.set("check.headers", "["+one+"]", d.place)
}

// httpCheck reads http-check send and expect (configuration.txt, 4.2).
func (p *proxy) httpCheck(d directive) (string, string) {
	w := d.words
	if p.pool == nil || len(w) < 3 {
		return Left, "not understood"
	}
	switch w[1] {
	case "expect":
		return p.expect(d, w[2:])
	case "send":
		return p.checkSend(d, w[2:])
	case "connect":
		return p.checkConnect(d, w[2:])
	}
	return Left, "there is no such step in a check"
}

func (p *proxy) checkSend(d directive, w []string) (string, string) {
	note := ""
	for i := 0; i < len(w); i += 2 {
		next := ""
		if i+1 < len(w) {
			next = w[i+1]
		}
		switch w[i] {
		case "uri":
			p.pool.set("check.http", quote(next), d.place)
		case "meth":
			note = p.method(next, d)
		case "hdr":
			if i+2 >= len(w) {
				return Left, "a header has a name and a value"
			}
			p.header(next, w[i+2], d)
			i++
		case "body":
			p.pool.set("check.send", quote(next), d.place)
		case "ver", "comment":
		default:
			note = w[i] + " is not there"
		}
	}
	if note != "" {
		return Changed, note
	}
	return Taken, "check"
}

// checkConnect reads what http-check and tcp-check connect to.
func (p *proxy) checkConnect(d directive, w []string) (string, string) {
	note := ""
	for i := 0; i < len(w); i++ {
		next := ""
		if i+1 < len(w) {
			next = w[i+1]
		}
		switch w[i] {
		case "ssl":
			p.pool.set("check.tls", "true", d.place)
		case "port", "sni":
			p.pool.set(map[string]string{"port": "check.port", "sni": "check.server_name"}[w[i]], number(next), d.place)
			i++
		case "default":
		case "alpn", "proto", "addr", "via-socks4", "comment":
			note = w[i] + " is not there"
			i++
		default:
			note = w[i] + " is not there"
		}
	}
	if note != "" {
		return Changed, note
	}
	return Taken, ""
}

// number writes one as TOML does, and everything else as a text.
func number(s string) string {
	if _, err := strconv.ParseUint(s, 10, 31); err == nil {
		return s
	}
	return quote(s)
}

// expect reads what a check looks for.
func (p *proxy) expect(d directive, w []string) (string, string) {
	for len(w) > 2 && slices.Contains([]string{"min-recv", "comment"}, w[0]) {
		w = w[2:]
	}
	if len(w) != 2 {
		return Left, "a check looks for what must be there, and for nothing else"
	}
	key := ""
	switch w[0] {
	case "status":
		p.pool.set("check.status", quote(w[1]), d.place)
		return Taken, "check.status"
	case "rstatus":
		ranges := statusesOf(w[1])
		if len(ranges) == 0 || len(ranges) > check.MaxStatus {
			return Left, "these statuses cannot be written as ranges"
		}
		p.pool.set("check.status", quote(ranges.String()), d.place)
		return Taken, "check.status"
	case "string":
		key = "check.expect"
	case "rstring":
		key = "check.expect_regex"
	default:
		return Left, "a check looks at the status and for text"
	}
	if p.has("check.expect") || p.has("check.expect_regex") {
		return Left, "a check looks at one answer, for one text"
	}
	p.pool.set(key, quote(w[1]), d.place)
	if d.words[0] == "http-check" && !p.has("check.status") {
		return Changed, key + "; check.status must be good, too"
	}
	return Taken, key
}

func (p *proxy) has(key string) bool {
	return slices.ContainsFunc(p.pool.lines, func(l line) bool { return l.key == key })
}

// statusesOf finds the final statuses that an expression matches.
func statusesOf(pattern string) (out check.Statuses) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	for status := 200; status < 600; status++ {
		switch n := len(out); {
		case !re.MatchString(strconv.Itoa(status)):
		case n > 0 && out[n-1][1] == status-1:
			out[n-1][1] = status
		default:
			out = append(out, [2]int{status, status})
		}
	}
	return out
}

// tcpCheck reads the steps of tcp-check: one connection, one thing sent, one expected.
func (p *proxy) tcpCheck(d directive) (string, string) {
	w := d.words
	if p.pool == nil || len(w) < 2 {
		return Left, "not understood"
	}
	switch w[1] {
	case "connect":
		return p.checkConnect(d, w[2:])
	case "send":
		if len(w) < 3 || p.has("check.send") || p.has("check.expect") || p.has("check.expect_regex") {
			return Left, "a check sends once, before it expects anything"
		}
		p.pool.set("check.send", quote(w[2]), d.place)
		return Taken, "check.send"
	case "expect":
		return p.expect(d, w[2:])
	case "comment":
		return Left, "it says nothing to a machine"
	}
	return Left, "there is no such step in a check"
}

// serverCheck takes over what a server line says of its check. All servers of a pool are
// checked alike.
func (p *proxy) serverCheck(word, value string, d directive, tls bool) (note string) {
	once := func(key, value string) {
		for _, l := range p.pool.lines {
			if l.key == key && l.value != value {
				note = fmt.Sprintf("all backends of a pool are checked alike: %s is %s", key, l.value)
				return
			}
		}
		p.pool.set(key, value, d.place)
	}
	if !tls && slices.Contains([]string{"check-sni", "ca-file", "verify"}, word) {
		return word + " means nothing without check-ssl"
	}
	switch word {
	case "check-ssl":
		once("check.tls", "true")
	case "plain": // at a port of its own the check speaks TLS only if it is told to
		once("check.tls", "false")
	case "check-sni":
		once("check.server_name", quote(value))
	case "port":
		once("check.port", number(value))
	case "ca-file":
		once("check.ca_file", quote(value))
	case "verify":
		if value == "none" {
			note = "the certificate is verified in a check over TLS, always: name who signs it in check.ca_file"
		}
	default:
		note = word + " is not there"
	}
	return note
}
