package importer

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// directive is one line of haproxy.cfg, cut into words.
type directive struct {
	place
	words []string
}

// section is a section of haproxy.cfg with its lines.
type section struct {
	directive
	kind, name string
	body       []directive
}

// sectionKinds begin a section (configuration.txt, 2).
var sectionKinds = []string{
	"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "mailers", "cache", "program",
	"http-errors", "ring", "log-forward", "fcgi-app", "crt-store", "traces",
}

// fields cuts a line into words: quotes and backslashes as in configuration.txt, 2.2.
func fields(s string) (words []string) {
	var w strings.Builder
	quote, open := rune(0), false
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			w.WriteString(unescaped(r))
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, open = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && r == '#':
			if open {
				words = append(words, w.String())
			}
			return words
		case quote == 0 && (r == ' ' || r == '\t' || r == '\r'):
			if open {
				words = append(words, w.String())
				w.Reset()
				open = false
			}
		default:
			w.WriteRune(r)
			open = true
		}
	}
	if open {
		words = append(words, w.String())
	}
	return words
}

// unescaped is what a backslash and r stand for: HAProxy keeps the backslash where it knows no
// meaning, as those of regular expressions.
func unescaped(r rune) string {
	switch r {
	case 'r':
		return "\r"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case ' ', '\\', '#', '\'', '"', '$':
		return string(r)
	}
	return `\` + string(r)
}

func (b *builder) sections(s Source) (all []*section) {
	n := 0
	for text := range strings.Lines(string(s.Data)) {
		n++
		text = strings.TrimSpace(text)
		d := directive{place{s.Name, n, text}, fields(text)}
		switch {
		case len(d.words) == 0:
		case slices.Contains(sectionKinds, d.words[0]):
			sec := &section{directive: d, kind: d.words[0]}
			if len(d.words) > 1 {
				sec.name = d.words[1]
			}
			all = append(all, sec)
		case len(all) == 0:
			b.took(d.place, Left, "it stands in no section")
		default:
			all[len(all)-1].body = append(all[len(all)-1].body, d)
		}
	}
	return all
}

// proxy is what a frontend, backend or listen section becomes.
type proxy struct {
	from     *section
	body     []directive // with those of its defaults first
	own      int         // how many of body are inherited
	pool     *block
	poolName string
	tcp      bool // connections are passed on as they are
	limits   limits
	ruled    map[place]verdict // what rules say
	spoken   *tlsKeys          // how the servers are spoken to; nil: no server yet
	proto    string            // what the servers are sent first: v1, v2, or "none"; "": no server yet
}

// haproxy imports a haproxy.cfg.
func (b *builder) haproxy(s Source) {
	var defaults []directive
	b.all = b.sections(s)
	for _, sec := range b.all {
		switch sec.kind {
		case "global":
			b.took(sec.place, Taken, "")
			for _, d := range sec.body {
				b.global(d)
			}
		case "defaults":
			b.took(sec.place, Taken, "each section below has them")
			defaults = sec.body
			for _, d := range sec.body {
				b.took(d.place, Left, "no section below uses it")
			}
		case "frontend", "backend", "listen":
			b.proxy(&proxy{from: sec, body: append(slices.Clone(defaults), sec.body...), own: len(defaults)})
		default:
			b.took(sec.place, Left, "there is nothing like it")
			for _, d := range sec.body {
				b.took(d.place, Left, "there is nothing like it")
			}
		}
	}
}

// needless are directives of global that something else does here.
var needless = map[string]string{
	"daemon": "systemd keeps it in the background", "user": "the proxy has a user of its own", "group": "the proxy has a user of its own",
	"chroot": "the proxy has no rights that a chroot would keep it from", "stats": "'tandem status' and the page on port 1936 show it",
	"log": "it logs to standard error, for journald", "pidfile": "systemd knows", "master-worker": "it is so always",
	"nbproc": "there are loops, one per CPU", "ca-base": "write whole paths", "crt-base": "write whole paths",
}

func (b *builder) global(d directive) {
	switch {
	case d.words[0] == "maxconn" && len(d.words) == 2:
		b.number("[proxy]", "maxconn", d, 1)
	case d.words[0] == "nbthread" && len(d.words) == 2:
		b.number("[proxy]", "loops", d, 1)
	case needless[d.words[0]] != "":
		b.took(d.place, Left, needless[d.words[0]])
	default:
		b.took(d.place, Left, "not understood, or not needed")
	}
}

// number takes over a whole number as it is.
func (b *builder) number(head, key string, d directive, word int) {
	n, err := strconv.Atoi(d.words[word])
	if err != nil {
		b.took(d.place, Left, "it is no number")
		return
	}
	b.table(head, d.place).set(key, strconv.Itoa(n), d.place)
	b.took(d.place, Taken, strings.Trim(head, "[]")+"."+key)
}

// proxy imports one section.
func (b *builder) proxy(p *proxy) {
	p.tcp = true // as HAProxy has it, where nothing is said
	if d, is := p.find("mode"); is && len(d.words) > 1 {
		p.tcp = d.words[1] == "tcp"
	}
	if d, is := p.find("mode"); is && len(d.words) > 1 && d.words[1] != "http" && d.words[1] != "tcp" {
		why := "mode " + d.words[1] + ": there is HTTP and TCP"
		b.took(p.from.place, Left, why)
		for _, d := range p.from.body {
			b.took(d.place, Left, why)
		}
		return
	}
	name := label(p.from.name)
	if name == "" {
		name = "unnamed"
	}
	if p.from.kind != "frontend" {
		p.poolName = name
		p.pool = b.table(poolHead(name), p.from.place)
	}
	b.took(p.from.place, Taken, map[string]string{"frontend": "frontend " + name, "backend": "pool " + name}[p.from.kind])
	if p.from.kind != "backend" {
		p.limits = b.limits(p)
		b.fronts(p, name)
	}
	for i, d := range p.body {
		became, note := b.proxyLine(p, d)
		if v, said := p.limits.said[d.place]; said {
			became, note = v.became, v.note
		} else if v, said := p.ruled[d.place]; said {
			became, note = v.became, v.note
		}
		if i < p.own && became == Left {
			continue // another section may have a use for it
		}
		b.took(d.place, became, note)
	}
}

func (p *proxy) find(word string) (last directive, found bool) {
	for _, d := range p.body {
		if d.words[0] == word {
			last, found = d, true
		}
	}
	return last, found
}

// fronts makes a frontend of each address that a section binds.
func (b *builder) fronts(p *proxy, name string) {
	pool, poolFrom := p.poolName, p.from.place
	if d, is := p.find("default_backend"); is && len(d.words) > 1 {
		pool, poolFrom = label(d.words[1]), d.place
	}
	binds := []directive{}
	for _, d := range p.from.body {
		if d.words[0] == "bind" && len(d.words) > 1 {
			binds = append(binds, d)
		}
	}
	if len(p.from.words) > 2 { // listen NAME ADDRESS, of old
		binds = append(binds, directive{p.from.place, append([]string{"bind"}, p.from.words[2:]...)})
	}
	count := 0
	for _, d := range binds {
		for _, addr := range strings.Split(d.words[1], ",") {
			listen, ok := listenOf(addr)
			if !ok {
				b.took(d.place, Left, "an address and one port are needed: "+addr)
				continue
			}
			if pool == "" && !p.leadsSomewhere() {
				b.took(d.place, Left, "the frontend has no default_backend")
				continue
			}
			f := b.add("[[frontend]]", d.place)
			if count++; count == 1 {
				f.set("name", quote(name), p.from.place)
			} else {
				f.set("name", quote(fmt.Sprintf("%s-%d", name, count)), p.from.place)
			}
			f.vital("listen", quote(listen), d.place)
			if pool != "" {
				f.vital("pool", quote(pool), poolFrom)
			}
			b.secure(f, d)
			if p.tcp {
				f.vital("mode", quote("tcp"), p.from.place)
			}
			for _, x := range p.body {
				frontLine(f, x, p.tcp)
			}
			f.lines = append(f.lines, p.limits.lines...)
			if !p.tcp {
				b.decide(p, f, slices.Contains(d.words, "ssl"))
			}
		}
	}
}

// leadsSomewhere says that a frontend without a default_backend has lines that say what becomes of requests.
func (p *proxy) leadsSomewhere() bool {
	return !p.tcp && slices.ContainsFunc(p.body, func(d directive) bool {
		does, _, ok := deedOf(d.words)
		return ok && (does.pool != "" || does.redirect != "")
	})
}

// secure adds the certificates of a bind line, or has the frontend left out: without them it
// would serve in the clear what was encrypted.
func (b *builder) secure(f *block, d directive) {
	switch {
	case slices.Contains(d.words, "ssl"):
	case slices.Contains(d.words, "accept-proxy"):
		b.took(d.place, Changed, "nobody's PROXY header is believed before you name the networks of those who send it, in accept_proxy")
		return
	default:
		b.took(d.place, Taken, "")
		return
	}
	var files []string
	for i, w := range d.words[:len(d.words)-1] {
		if w == "crt" {
			files = append(files, d.words[i+1])
		}
	}
	t := b.add(tlsHead, d.place)
	t.vital("certificates", quoteList(files), d.place)
	f.lines[slices.IndexFunc(f.lines, func(l line) bool { return l.key == "listen" })].vital = true
	b.took(d.place, Changed, "the certificates are read; other options of TLS are in [frontend.tls]")
}

// listenOf turns the address of a bind line into one of ours.
func listenOf(addr string) (string, bool) {
	for _, family := range []string{"ipv4@", "ipv6@", "tcp@"} {
		addr = strings.TrimPrefix(addr, family)
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", false
	}
	host, port := addr[:i], addr[i+1:]
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false
	}
	switch host {
	case "", "*":
		return ":" + port, true
	case "::":
		return "[::]:" + port, true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return "", false
	}
	return net(ip, port), true
}

func net(ip netip.Addr, port string) string {
	if ip.Is6() {
		return "[" + ip.String() + "]:" + port
	}
	return ip.String() + ":" + port
}

// span reads HAProxy's times: milliseconds unless there is a unit (configuration.txt, 2.4).
func span(s string) (time.Duration, bool) {
	unit, digits := time.Millisecond, s
	for suffix, u := range map[string]time.Duration{"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour} {
		if d, ok := strings.CutSuffix(s, suffix); ok && d != "" && d[len(d)-1] >= '0' && d[len(d)-1] <= '9' {
			unit, digits = u, d
		}
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0, false
	}
	return time.Duration(n) * unit, time.Duration(n) < 1<<62/unit
}

func quoteSpan(d time.Duration) string { return quote(d.String()) }
