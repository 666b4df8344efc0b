package importer

import (
	"strings"
)

// serverTLS is what a server line says of TLS.
type serverTLS struct {
	on    bool // with the server
	check bool // check-ssl: with its check, in any case

	verify, caFile, sni, host, cert string
	h2                              bool // alpn is h2 alone
	other                           []string
}

// tlsKeys are what [pool.NAME.tls] says; the zero value is no TLS.
type tlsKeys struct {
	on, verify           bool
	ca, name, cert, alpn string
}

// option reads an option of TLS, and says how many words it has; 0: it is none.
func (t *serverTLS) option(word, next string) int {
	switch word {
	case "ssl":
		return 1
	case "verify":
		t.verify = next
	case "ca-file":
		t.caFile = next
	case "sni":
		t.sni = next
	case "verifyhost":
		t.host = next
	case "crt":
		t.cert = next
	case "alpn", "proto":
		t.h2 = next == "h2"
		if !t.h2 && next != "h1" && next != "http/1.1" {
			t.other = append(t.other, word+" is not there: HTTP/1.1 is spoken, or HTTP/2 with protocol = \"h2\"")
		}
	case "ssl-min-ver", "ssl-max-ver", "ciphers", "ciphersuites", "crl-file":
		t.other = append(t.other, word+" is not there: TLS 1.2 and 1.3 are spoken, and min_version may ask for more")
	default:
		return 0
	}
	return 2
}

// keys are those of the pool; why says what cannot be said of a pool: then the server must be left out, since it would be
// spoken to in another way.
func (t *serverTLS) keys(s *server) (k tlsKeys, why string) {
	for _, o := range t.other {
		s.note(o)
	}
	if t.h2 {
		k.alpn = "h2"
	}
	if !t.on {
		return k, ""
	}
	name, static := strings.CutPrefix(t.sni, "str(")
	name, closed := strings.CutSuffix(name, ")")
	k.on, k.cert, k.name, k.verify = true, t.cert, name, t.verify != "none"
	switch {
	case t.sni != "" && (!static || !closed):
		return k, "sni " + t.sni + ": a pool asks for one name, server_name; write sni str(NAME)"
	case t.verify == "" && t.caFile == "" || t.verify == "required" && t.caFile == "":
		return k, "there is no ca-file to verify the server by: name it, or say verify none"
	case !k.verify:
		s.note("verify = false: whoever can answer in its place reads and changes everything; better name a ca_file")
		return k, ""
	case t.caFile != "@system-ca":
		k.ca = t.caFile
	}
	switch {
	case k.name == "" && t.host != "":
		k.name = t.host
		s.note("server_name is asked for in the handshake, too")
	case k.name == "":
		s.note("its certificate must have the backend's address: if it has a name, give server_name in the pool's table tls")
	}
	return k, ""
}

// checkTrust takes over whom a check over TLS trusts where the pool has no TLS.
func (s *server) checkTrust() {
	t := &s.tls
	for _, o := range [][2]string{{"verify", t.verify}, {"ca-file", t.caFile}} {
		if o[1] == "" || t.on {
			continue
		}
		if what := s.p.serverCheck(o[0], o[1], s.from, t.check); what != "" {
			s.note(what)
		}
	}
	if t.check && !t.on {
		s.p.serverCheck("check-ssl", "", s.from, true)
	}
}

// poolTLS writes the table.
func (b *builder) poolTLS(p *proxy, k tlsKeys, from place) {
	t := b.table(poolTLSHead(p.pool.head), from)
	if k.ca != "" {
		t.vital("ca_file", quote(k.ca), from)
	}
	if k.name != "" {
		t.vital("server_name", quote(k.name), from)
	}
	if k.cert != "" {
		t.vital("certificate", quote(k.cert), from)
	}
	if !k.verify {
		t.vital("verify", "false", from)
	}
}

// poolTLSHead is the table tls of the pool with that head.
func poolTLSHead(pool string) string { return strings.TrimSuffix(pool, "]") + ".tls]" }
