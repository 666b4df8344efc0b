package importer

import (
	"strconv"
	"strings"
)

// Timeouts of HAProxy and the keys that mean the same.
var (
	frontTimeouts = map[string]string{
		"client": "client_timeout", "http-request": "header_timeout", "http-keep-alive": "idle_timeout", "tunnel": "tunnel_timeout",
		"client-fin": "half_close_timeout",
	}
	poolTimeouts = map[string]string{"connect": "connect_timeout", "server": "server_timeout"}
)

// frontLine takes into a frontend what is meant for it.
func frontLine(f *block, d directive, tcp bool) {
	switch {
	case tcp:
		if t, ok := span(last(d.words)); ok && d.words[0] == "timeout" && len(d.words) == 3 && d.words[1] == "client" {
			f.set("tunnel_timeout", quoteSpan(t), d.place)
		}
	case d.words[0] == "timeout" && len(d.words) == 3 && frontTimeouts[d.words[1]] != "":
		if t, ok := span(d.words[2]); ok {
			f.set(frontTimeouts[d.words[1]], quoteSpan(t), d.place)
		}
	case isHeader(d.words):
		value := quote(d.words[2] + ": " + d.words[3])
		for i := range f.lines {
			if f.lines[i].key == "response_headers" {
				f.lines[i].value = strings.TrimSuffix(f.lines[i].value, "]") + ", " + value + "]"
				return
			}
		}
		f.set("response_headers", "["+value+"]", d.place)
	}
}

func last(words []string) string { return words[len(words)-1] }

// isHeader: http-response set-header NAME VALUE, without a condition or a variable.
func isHeader(w []string) bool {
	return len(w) == 4 && w[0] == "http-response" && (w[1] == "set-header" || w[1] == "add-header") && !strings.Contains(w[3], "%[")
}

// proxyLine says what becomes of a line of a section, and takes into its pool what is meant
// for that.
func (b *builder) proxyLine(p *proxy, d directive) (became, note string) {
	front := p.from.kind != "backend"
	w := d.words
	arg := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	switch w[0] {
	case "mode", "default_backend":
		return Taken, ""
	case "acl":
		return Left, "no line that was taken over uses it"
	case "tcp-request":
		return Left, either(arg(2) == "reject", letsIn+"allow and deny belong to a frontend, and go by networks", "there is nothing like it")
	case "use-server", "stick", "cookie", "compression", "filter", "http-reuse":
		return Left, "there is nothing like it"
	case "bind":
		return b.last(d.place)
	case "timeout":
		return p.timeout(d, front, arg(1), arg(2))
	case "balance":
		return p.balance(d, arg(1))
	case "server":
		return b.server(p, d)
	case "default-server":
		if p.pool != nil {
			return Taken, "each server below has it"
		}
	case "retries":
		if n, err := strconv.Atoi(arg(1)); err == nil && p.pool != nil {
			p.pool.set("retries", strconv.Itoa(n), d.place)
			return Taken, ""
		}
	case "option":
		return p.option(d, arg(1))
	case "http-check":
		return p.httpCheck(d)
	case "tcp-check":
		return p.tcpCheck(d)
	case "redirect", "http-request", "http-response":
		switch {
		case arg(1) == "set-src":
			return Left, "the client is who connects, or whom the PROXY header of a network in accept_proxy names: no other header is believed"
		case front && !p.tcp && isHeader(w):
			return Taken, ""
		case p.from.kind == "backend" && (arg(1) == "deny" || arg(1) == "allow"):
			return Left, letsIn + "rules belong to a frontend; write it there, with what leads to this backend"
		case arg(1) == "auth" || arg(1) == "tarpit" || arg(1) == "reject" || arg(1) == "silent-drop":
			return Left, letsIn + "there is allow, deny, source_rate and rules with a status, and no password"
		}
	case "use_backend":
		return Left, "these requests go to the default_backend: rules of a frontend route by host, path, method, header and source; for TCP, sni_pools by the server name"
	case "stats":
		return Left, "'tandem status' and the page on port 1936 show it"
	case "log":
		return Left, "it logs to standard error, for journald"
	}
	return Left, "not understood, or there is nothing like it"
}

// last returns what was said of a line already.
func (b *builder) last(p place) (became, note string) {
	for i := len(b.items) - 1; i >= 0; i-- {
		if b.items[i].Line == p.line && b.items[i].File == p.file {
			return b.items[i].Became, b.items[i].Note
		}
	}
	return Left, "it listens nowhere"
}

func (p *proxy) timeout(d directive, front bool, what, value string) (string, string) {
	t, ok := span(value)
	switch {
	case !ok:
		return Left, "it is no time"
	case front && p.tcp && what == "client":
		return Changed, "tunnel_timeout: nothing may move for so long, in either direction"
	case front && p.tcp && frontTimeouts[what] != "":
		return Left, "it is about HTTP, and this frontend is TCP"
	case front && frontTimeouts[what] != "":
		return Taken, frontTimeouts[what]
	case p.pool != nil && poolTimeouts[what] != "":
		p.pool.set(poolTimeouts[what], quoteSpan(t), d.place)
		return Taken, poolTimeouts[what]
	case p.pool != nil && what == "check":
		p.pool.set("check.timeout", quoteSpan(t), d.place)
		return Taken, "check.timeout"
	}
	return Left, "there is no such timeout"
}

func (p *proxy) balance(d directive, how string) (string, string) {
	if p.pool == nil {
		return Left, "it belongs to a backend"
	}
	switch how {
	case "roundrobin", "leastconn":
		p.pool.set("policy", quote(how), d.place)
		return Taken, "policy"
	case "source":
		p.pool.set("policy", quote("hash"), d.place)
		return Changed, `policy = "hash", which is consistent: keys keep their backends when others come and go`
	case "uri":
		p.pool.set("policy", quote("hash"), d.place)
		p.pool.set("hash_on", quote("path"), d.place)
		return Changed, `policy = "hash", which is consistent: keys keep their backends when others come and go`
	case "static-rr":
		p.pool.set("policy", quote("roundrobin"), d.place)
		return Taken, "policy"
	}
	if name, ok := strings.CutPrefix(how, "hdr("); ok {
		name, _, _ = strings.Cut(name, ")")
		p.pool.set("policy", quote("hash"), d.place)
		p.pool.set("hash_on", quote("header:"+name), d.place)
		return Changed, `policy = "hash", which is consistent; where the header is missing it goes by the source`
	}
	if how == "random" || strings.HasPrefix(how, "random(") {
		p.pool.set("policy", quote("random"), d.place)
		return Taken, "policy"
	}
	p.pool.set("policy", quote("roundrobin"), d.place)
	return Changed, "there is roundrobin, leastconn, random and hash; roundrobin was put in the place of " + how
}

func (p *proxy) option(d directive, what string) (string, string) {
	switch what {
	case "httpchk":
		return p.httpchk(d)
	case "tcp-check":
		if p.pool == nil {
			return Left, "it belongs to a backend"
		}
		return Taken, ""
	case "forwardfor":
		if p.tcp {
			return Left, "it is about HTTP, and this is TCP"
		}
		return Taken, "X-Forwarded-For is always sent"
	case "redispatch", "http-keep-alive", "http-server-close", "tcp-smart-accept", "splice-auto", "dontlognull":
		return Taken, "it is so always, or needs no telling"
	}
	return Left, "there is no such option"
}
