package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// poolCheck checks [pool.NAME.check].
func (c *checker) poolCheck(raw *rawPoolCheck, p *Pool) Check {
	ch := c.healthCheck(&raw.rawCheck)
	ch.Jitter = raw.Jitter.V
	ch.Port = uint16(raw.Port.V)
	switch {
	case raw.Protocol.Set && !raw.Protocol.Bad && ch.Kind != check.HTTP:
		c.add(raw.Protocol.At, "protocol belongs to a check by http", `add http = "/", or leave it out`)
	case raw.Protocol.Set:
		ch.HTTP2 = raw.Protocol.V == "h2"
	case ch.Kind == check.HTTP:
		ch.HTTP2 = p.Protocol == "h2"
	}
	c.checkTLS(raw, p, &ch)
	return ch
}

// checkTLS decides whether a check speaks TLS, and with whose word it is content. It is the
// pool's, unless the check has a name of its own, or the pool has none.
func (c *checker) checkTLS(raw *rawPoolCheck, p *Pool, ch *Check) {
	if raw.TLS.Bad {
		return
	}
	speaks := p.TLS != nil
	if raw.TLS.Set {
		speaks = raw.TLS.V
	}
	ch.Plain = !speaks && p.TLS != nil
	for _, t := range []struct {
		text
		name string
	}{{raw.ServerName, "server_name"}, {raw.CAFile, "ca_file"}} {
		if t.Set && !speaks {
			c.add(t.At, t.name+" belongs to a check that speaks TLS", "add tls = true, or leave it out")
			return
		}
	}
	if raw.CAFile.Set && p.TLS != nil {
		c.add(raw.CAFile.At, "the pool's own table says who is trusted", fmt.Sprintf("put ca_file into [pool.%s.tls]", p.Name))
		return
	}
	if raw.ServerName.Set && !raw.ServerName.Bad && !isHost(raw.ServerName.V) {
		c.add(raw.ServerName.At, fmt.Sprintf("%q is not a host name", raw.ServerName.V), "write the name that stands in the certificates of the backends")
		return
	}
	switch {
	case !speaks || p.TLS != nil && !raw.ServerName.Set:
		return
	case p.TLS != nil:
		own := *p.TLS
		ch.TLS = &own
	default:
		ch.TLS = &PoolTLS{CAs: c.authorities(raw.CAFile), MinVersion: tlsVersions["1.2"], Verify: true}
	}
	ch.TLS.ServerName = raw.ServerName.V
}

// healthCheck checks what pools and agents have in common.
func (c *checker) healthCheck(raw *rawCheck) Check {
	ch := Check{
		Question: check.Question{Kind: check.TCP},
		Interval: raw.Interval.V, Timeout: raw.Timeout.V, Rise: raw.Rise.V, Fall: raw.Fall.V,
	}
	c.checkKind(raw, &ch)
	c.strayKeys(raw, ch.Kind)
	q := &ch.Question
	switch ch.Kind {
	case check.HTTP:
		q.Path, q.Method, q.Host = c.checkPath(raw.HTTP), raw.Method.V, raw.Host.V
		q.Headers, q.Status = c.checkHeaders(raw.Headers), c.statuses(raw.Status)
	case check.GRPC:
		q.Host, q.Service = raw.Host.V, raw.Service.V
		c.short(raw.Service, "the service's name", check.MaxService)
		return ch
	}
	q.Send, q.Expect, q.Pattern = raw.Send.V, raw.Expect.V, raw.ExpectRegex.V
	c.short(raw.Send, "what is sent", check.MaxSend)
	c.short(raw.Expect, "what is expected", check.MaxExpect)
	c.short(raw.ExpectRegex, "what is expected", check.MaxExpect)
	if q.Expect == "" && q.Pattern == "" {
		return ch
	}
	q.ExpectBytes = raw.ExpectBytes.V
	if _, err := regexp.Compile(q.Pattern); err != nil {
		c.add(raw.ExpectRegex.At, strings.TrimPrefix(err.Error(), "error parsing regexp: "), "see https://github.com/google/re2/wiki/Syntax")
	}
	return ch
}

// checkKind finds out which way of asking is meant.
func (c *checker) checkKind(raw *rawCheck, ch *Check) {
	var said []place
	for _, k := range []struct {
		kind check.Kind
		set  bool
		at   place
	}{
		{check.HTTP, raw.HTTP.Set, raw.HTTP.At},
		{check.GRPC, raw.GRPC.V, raw.GRPC.At},
		{check.TCP, raw.TCP.V, raw.TCP.At},
	} {
		if k.set {
			if len(said) == 0 {
				ch.Kind = k.kind
			}
			said = append(said, k.at)
		}
	}
	switch {
	case len(said) > 1:
		c.add(said[len(said)-1], "a check is one of http, grpc and tcp", "leave the others out")
	case len(said) == 0 && raw.TCP.Set && !raw.TCP.Bad:
		c.add(raw.TCP.At, "tcp = false leaves no check", `write http = "/", or leave tcp out`)
	}
}

// strayKeys reports what the check makes no use of.
func (c *checker) strayKeys(raw *rawCheck, kind check.Kind) {
	for _, k := range []struct {
		name    string
		set     bool
		at      place
		belongs string
	}{
		{"host", raw.Host.Set, raw.Host.At, "http or grpc"},
		{"status", raw.Status.Set, raw.Status.At, "http"},
		{"method", raw.Method.Set, raw.Method.At, "http"},
		{"headers", raw.Headers.Set, raw.Headers.At, "http"},
		{"service", raw.Service.Set, raw.Service.At, "grpc"},
		{"send", raw.Send.Set, raw.Send.At, "http or tcp"},
		{"expect", raw.Expect.Set, raw.Expect.At, "http or tcp"},
		{"expect_regex", raw.ExpectRegex.Set, raw.ExpectRegex.At, "http or tcp"},
		{"expect_bytes", raw.ExpectBytes.Set, raw.ExpectBytes.At, "http or tcp"},
	} {
		if k.set && !strings.Contains(k.belongs, string(kind)) {
			remedy := `add http = "/", or leave it out`
			if k.belongs == "grpc" {
				remedy = "add grpc = true, or leave it out"
			}
			c.add(k.at, fmt.Sprintf("%s belongs to a check by %s", k.name, k.belongs), remedy)
		}
	}
	switch method := raw.Method.V; {
	case raw.Host.Set && !raw.Host.Bad && kind != check.TCP && !isSeed(raw.Host.V):
		c.add(raw.Host.At, fmt.Sprintf("%q is not a host", raw.Host.V), `for example "www.example.com"`)
	case raw.ExpectBytes.Set && !raw.Expect.Set && !raw.ExpectRegex.Set && kind != check.GRPC:
		c.add(raw.ExpectBytes.At, "nothing is expected in those bytes", "add expect or expect_regex, or leave it out")
	case kind != check.HTTP || raw.Method.Bad:
	case raw.Send.Set && method != "POST" && method != "PUT":
		c.add(raw.Send.At, fmt.Sprintf("a %s brings no body", method), `write method = "POST", or leave send out`)
	case method == "HEAD" && (raw.Expect.Set || raw.ExpectRegex.Set):
		c.add(raw.Method.At, "an answer to HEAD has no body that could be looked at", `write method = "GET", or expect nothing`)
	}
}

// short reports a text that is longer than a check may have it.
func (c *checker) short(t text, what string, atMost int) {
	if t.Set && !t.Bad && len(t.V) > atMost {
		c.add(t.At, fmt.Sprintf("%s has %d bytes, more than %d", what, len(t.V), atMost), "")
	}
}

// checkPath checks what is asked for by HTTP.
func (c *checker) checkPath(t text) string {
	if t.Set && !t.Bad && !isPath(t.V) {
		c.add(t.At, fmt.Sprintf("%q is not a path to ask for", t.V), `begin it with "/", without spaces and host name`)
	}
	return t.V
}

// isPath tells whether s can stand in a request line.
func isPath(s string) bool {
	if !strings.HasPrefix(s, "/") || len(s) > 1024 {
		return false
	}
	if _, err := url.ParseRequestURI(s); err != nil {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) < 0
}

// checkHeaders are sent with a check by HTTP.
func (c *checker) checkHeaders(l list) [][2]string {
	for _, t := range l.V {
		if name, _, _ := strings.Cut(t.V, ":"); strings.EqualFold(name, "host") {
			c.add(t.At, "the host is asked for by a key of its own", `write host = "www.example.com"`)
		}
	}
	return c.responseHeaders(l)
}

// statuses parses "200-299,401".
func (c *checker) statuses(t text) (all check.Statuses) {
	if t.Bad {
		return nil
	}
	for word := range strings.SplitSeq(t.V, ",") {
		first, last, found := strings.Cut(strings.TrimSpace(word), "-")
		if !found {
			last = first
		}
		low, err1 := strconv.Atoi(first)
		high, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || low < 200 || high > 599 || low > high {
			c.add(t.At, fmt.Sprintf("%q is not a range of final HTTP statuses", word), `for example "200", "200-399" or "200-299,401"; from 200 to 599`)
			return nil
		}
		all = append(all, [2]int{low, high})
	}
	if len(all) > check.MaxStatus {
		c.add(t.At, fmt.Sprintf("there are %d ranges, more than %d", len(all), check.MaxStatus), "")
	}
	return all
}
