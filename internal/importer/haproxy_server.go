package importer

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// server is a server line as it is read.
type server struct {
	p     *proxy
	from  directive
	notes []string // what is a little else
	words string   // behind the address of the backend
	proto string   // PROXY header that it is sent; "none"
	tls   serverTLS
	port  bool // the check has one of its own
}

// server reads server NAME ADDRESS:PORT and what follows, and what default-server says before it.
func (b *builder) server(p *proxy, d directive) (became, note string) {
	w := d.words
	if p.pool == nil || len(w) < 3 {
		return Left, "it belongs to a backend, with a name and an address"
	}
	addr, err := netip.ParseAddrPort(w[2])
	if err != nil {
		return Left, "a backend is an IP address and a port here: a host name would mean something else from time to time"
	}
	s := &server{p: p, from: d, proto: "none"}
	var options []string
	for _, x := range p.body {
		if x.place == d.place {
			break
		}
		if x.words[0] == "default-server" {
			options = append(options, x.words[1:]...)
		}
	}
	options = append(options, w[3:]...)
	s.tls.on = slices.Contains(options, "ssl") && !slices.Contains(options, "no-ssl")
	s.tls.check = slices.Contains(options, "check-ssl")
	s.port = slices.Contains(options, "port")
	for i := 0; i < len(options); {
		next := ""
		if i+1 < len(options) {
			next = options[i+1]
		}
		n, why := s.option(options[i], next)
		if why != "" {
			return Left, why
		}
		i += n
	}
	if why := b.speaks(s); why != "" {
		return Left, why
	}
	addBackend(p.pool, addr, s.words, d.place)
	if len(s.notes) > 0 {
		return Changed, strings.Join(s.notes, "; ")
	}
	return Taken, ""
}

func (s *server) note(what string) {
	if !slices.Contains(s.notes, what) {
		s.notes = append(s.notes, what)
	}
}

// word sets what stands behind the address, once.
func (s *server) word(key, value string) {
	all := slices.DeleteFunc(strings.Fields(s.words), func(w string) bool { return strings.HasPrefix(w+"=", key+"=") })
	all = append(all, strings.TrimSuffix(key+"="+value, "="))
	s.words = " " + strings.Join(all, " ")
}

// option reads one option and says how many words it has; why is not empty if the server must be left out.
func (s *server) option(word, next string) (n int, why string) {
	if n = s.tls.option(word, next); n > 0 {
		return n, ""
	}
	switch word {
	case "send-proxy", "send-proxy-v2":
		s.proto = map[string]string{"send-proxy": "v1", "send-proxy-v2": "v2"}[word]
		return 1, ""
	case "backup":
		s.word("backup", "")
		return 1, ""
	case "disabled":
		return 1, "disabled: there is nothing like it, and without it the server would get what it should not"
	case "check", "check-ssl", "no-ssl", "enabled":
		return 1, ""
	case "inter", "fastinter", "downinter", "slowstart":
		key := map[string]string{"inter": "check.interval", "slowstart": "slowstart"}[word]
		if t, ok := span(next); ok && key != "" {
			s.p.pool.set(key, quoteSpan(t), s.from.place)
		}
	case "rise", "fall":
		if n, err := strconv.Atoi(next); err == nil {
			s.p.pool.set("check."+word, strconv.Itoa(n), s.from.place)
		}
	case "weight":
		s.word("weight", next)
		if next != "1" && next != "100" {
			s.note("who has no weight has 100 here, and 1 there")
		}
	case "maxconn":
		s.word("maxconn", next)
	case "check-send-proxy":
		s.note("check-send-proxy is not there")
		return 1, ""
	case "check-sni", "port", "check-alpn", "check-proto":
		if what := s.p.serverCheck(word, next, s.from, s.tls.on || s.tls.check); what != "" {
			s.note(what)
		}
	case "cookie", "observe", "error-limit", "on-error":
		s.note(word + " is not there")
	default:
		s.note(word + " is not understood")
		return 1, ""
	}
	return 2, ""
}

// speaks sets what all servers of a pool are sent alike, and says why this one cannot be among them.
func (b *builder) speaks(s *server) (why string) {
	p := s.p
	if p.proto != "" && p.proto != s.proto {
		return "the servers of a pool are all sent a PROXY header, or none is"
	}
	keys, why := s.tls.keys(s)
	if why != "" {
		return why
	}
	if p.spoken != nil && *p.spoken != keys {
		return "the servers of a pool are all spoken to in one way: over TLS with the same ca-file, name and certificate, or in plain text"
	}
	if p.proto == "" && s.proto != "none" {
		p.pool.set("send_proxy", quote(s.proto), s.from.place)
	}
	if p.spoken == nil && keys.alpn != "" {
		p.pool.set("protocol", quote(keys.alpn), s.from.place)
	}
	if p.spoken == nil && s.tls.on {
		b.poolTLS(p, keys, s.from.place)
	}
	if s.tls.on && !s.tls.check && s.port {
		p.serverCheck("plain", "", s.from, true)
	}
	p.proto, p.spoken = s.proto, &keys
	s.checkTrust()
	return ""
}

// addBackend adds a static backend with what is said of it behind its address.
func addBackend(pool *block, addr netip.AddrPort, words string, from place) {
	value := quote(addr.String() + words)
	for i := range pool.lines {
		l := &pool.lines[i]
		if l.key == "backends" {
			if !strings.Contains(l.value, `"`+addr.String()+`"`) && !strings.Contains(l.value, `"`+addr.String()+` `) {
				l.value = strings.TrimSuffix(l.value, "]") + ", " + value + "]"
				l.also = append(l.also, from)
			}
			return
		}
	}
	pool.set("backends", "["+value+"]", from)
}
