package importer

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checkers are those of keepalived that a pool's check can be.
var checkers = map[string]bool{"HTTP_GET": true, "SSL_GET": true, "TCP_CHECK": true}

// inherited are statements of a virtual_server or real_server that hold for the checks in it.
var inherited = map[string]bool{"connect_timeout": true, "retry": true, "nb_get_retry": true, "virtualhost": true}

const (
	retriesCome = "retries come one check.interval after the other"
	checkedOnce = "the backends of a pool are checked alike, as the first one is"
)

// checker makes a check of HTTP_GET, SSL_GET or TCP_CHECK. levels are the checker, its real_server and its virtual_server:
// what the first of them does not say, the next one may. The first checker of a virtual_server is the pool's check.
func (b *builder) checker(s *statement, levels []*statement, pool *block, addr netip.AddrPort) {
	check := &block{head: pool.head, from: s.place}
	b.took(s.place, Taken, "one success brings the backend up")
	check.set("check.rise", "1", s.place)
	b.checkLines(s, check, addr)
	if s.words[0] != "TCP_CHECK" {
		b.url(s, levels, check)
	}
	if s.words[0] == "SSL_GET" {
		check.set("check.tls", "true", s.place)
		b.took(s.place, Changed, "the certificate is verified, which keepalived does not: name who signs it in check.ca_file, and its name in check.server_name")
	}
	retry, word := find(levels, "retry", "nb_get_retry"), "1"
	at := s.place
	if retry != nil {
		word, at = retry.arg(1), retry.place
	}
	if n, err := strconv.Atoi(word); err == nil && n >= 0 && n < 100 {
		check.set("check.fall", strconv.Itoa(n+1), at)
	}
	if t := find(levels, "connect_timeout"); t != nil && seconds.MatchString(t.arg(1)) {
		check.set("check.timeout", quote(t.arg(1)+"s"), t.place)
	}
	if !slices.ContainsFunc(pool.lines, func(l line) bool { return strings.HasPrefix(l.key, "check.") && l.key != "check.interval" }) {
		interval := slices.ContainsFunc(check.lines, func(l line) bool { return l.key == "check.interval" })
		if interval {
			pool.lines = slices.DeleteFunc(pool.lines, func(l line) bool { return l.key == "check.interval" })
		}
		pool.lines = append(pool.lines, check.lines...)
		return
	}
	if !alike(pool, check) {
		b.leave(s, checkedOnce)
	}
}

// alike says that a check is the pool's.
func alike(pool, check *block) bool {
	n := 0
	for _, l := range pool.lines {
		if strings.HasPrefix(l.key, "check.") && l.key != "check.interval" {
			n++
		}
	}
	for _, l := range check.lines {
		is := func(o line) bool { return o.key == l.key && o.value == l.value }
		if n--; !slices.ContainsFunc(pool.lines, is) {
			return false
		}
		if l.key == "check.interval" {
			n++
		}
	}
	return n == 0
}

// find is the statement of one of these words on the first level that has one.
func find(levels []*statement, words ...string) *statement {
	for _, l := range levels {
		for _, w := range words {
			if c := l.child(w); c != nil {
				return c
			}
		}
	}
	return nil
}

// checkLines reads what all checkers may say.
func (b *builder) checkLines(s *statement, check *block, addr netip.AddrPort) {
	for _, c := range s.body {
		switch word, v := c.words[0], c.arg(1); word {
		case "connect_port":
			b.took(c.place, Taken, "check.port")
			if v != strconv.Itoa(int(addr.Port())) {
				check.set("check.port", number(v), c.place)
			}
		case "connect_ip":
			if a, err := netip.ParseAddr(v); err != nil || a != addr.Addr() {
				b.took(c.place, Left, "a check asks the backend's own address")
			} else {
				b.took(c.place, Taken, "")
			}
		case "connect_timeout":
			b.took(c.place, Taken, "check.timeout")
		case "retry", "nb_get_retry":
			b.took(c.place, Changed, "check.fall: the first failure and its retries; "+retriesCome)
		case "delay_loop":
			b.checkTime(c, "check.interval", check)
		case "delay_before_retry":
			b.took(c.place, Left, retriesCome)
		case "warmup":
			b.took(c.place, Left, virtualServerLeft[word])
		case "alpha", "fast_recovery":
			b.took(c.place, Taken, "it is so always")
		case "url", "virtualhost", "enable_sni", "http_protocol":
			if s.words[0] == "TCP_CHECK" {
				b.leave(c, "a TCP check only connects")
			}
		default:
			b.leave(c, "there is nothing like it")
		}
	}
}

// checkTime takes a time in seconds over.
func (b *builder) checkTime(s *statement, key string, block *block) {
	n, err := strconv.ParseFloat(s.arg(1), 64)
	if err != nil || n <= 0 || n >= 1e6 {
		b.leave(s, "it is no number of seconds")
		return
	}
	block.set(key, quote(strconv.FormatFloat(n, 'f', -1, 64)+"s"), s.place)
	b.took(s.place, Taken, key)
}

// url reads the first url of HTTP_GET or SSL_GET, and the name that is asked for.
func (b *builder) url(s *statement, levels []*statement, check *block) {
	check.set("check.http", quote("/"), s.place)
	check.set("check.status", quote("200-299"), s.place)
	first := s.child("url")
	for _, c := range s.body {
		switch c.words[0] {
		case "url":
			if c != first {
				b.leave(c, "a check asks for one path: let it say whether all is well")
				continue
			}
			b.took(c.place, Taken, "")
			b.urlLines(c, check)
		case "http_protocol":
			b.took(c.place, Changed, "HTTP/1.1 is spoken")
		case "virtualhost":
			b.took(c.place, Taken, "check.host")
		case "enable_sni":
			b.took(c.place, Taken, "check.server_name")
		}
	}
	if first != nil {
		levels = append([]*statement{first}, levels...)
	}
	if host := find(levels, "virtualhost"); host != nil && host.arg(1) != "" {
		check.set("check.host", quote(host.arg(1)), host.place)
		if s.words[0] == "SSL_GET" && s.child("enable_sni") != nil {
			check.set("check.server_name", quote(host.arg(1)), host.place)
		}
	}
}

func (b *builder) urlLines(url *statement, check *block) {
	for _, c := range url.body {
		switch word, v := c.words[0], c.arg(1); {
		case word == "path" && v != "":
			check.set("check.http", quote(v), c.place)
			b.took(c.place, Taken, "check.http")
		case word == "status_code" && v != "":
			check.set("check.status", quote(strings.Join(c.words[1:], ",")), c.place)
			b.took(c.place, Taken, "check.status")
		case word == "virtualhost":
			b.took(c.place, Taken, "check.host")
		case word == "digest":
			b.leave(c, "a check looks for text and not for a digest of all of it: write what must be there into check.expect")
		case word == "regex" && url.child("regex_no_match") == nil && url.child("regex_options") == nil && isRegexp(v):
			check.set("check.expect_regex", quote(v), c.place)
			b.took(c.place, Taken, "check.expect_regex")
		default:
			b.leave(c, "there is nothing like it")
		}
	}
}

func isRegexp(s string) bool {
	_, err := regexp.Compile(s)
	return err == nil && s != ""
}
