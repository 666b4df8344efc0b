package route

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Problem is one thing wrong with a Rule.
type Problem struct {
	Key    string // as in JSON and in the configuration: "path_regex"
	Item   int    // which of a list; 0 for what is none
	Msg    string
	Remedy string // may be empty
}

// Problems returns all that is wrong with r by itself; none if it is good.
func (r *Rule) Problems() []Problem {
	c := &checker{r: r}
	c.conditions()
	c.action()
	c.rewriting()
	c.fields()
	return c.found
}

type checker struct {
	r     *Rule
	found []Problem
}

func (c *checker) add(key string, item int, remedy, format string, a ...any) {
	c.found = append(c.found, Problem{key, item, fmt.Sprintf(format, a...), remedy})
}

func (c *checker) atMost(key string, n int) {
	if n > MaxItems {
		c.add(key, 0, "make two rules of it", "%d entries, more than the %d that are allowed", n, MaxItems)
	}
}

func (c *checker) conditions() {
	r := c.r
	c.atMost("host", len(r.Hosts))
	c.atMost("method", len(r.Methods))
	c.atMost("path", len(r.Paths))
	c.atMost("path_prefix", len(r.Prefixes))
	c.atMost("header", len(r.Headers))
	for i, h := range r.Hosts {
		if !isHost(strings.TrimPrefix(h, "*.")) {
			c.add("host", i, `for example "www.example.com", "*.example.com" or "192.0.2.1", without port`, "%q is not a host", h)
		}
	}
	for i, m := range r.Methods {
		if !isToken(m) || m != strings.ToUpper(m) {
			c.add("method", i, `methods are upper case: "GET"`, "%q is not a method", m)
		}
	}
	for i, p := range r.Paths {
		c.path("path", i, p)
	}
	for i, p := range r.Prefixes {
		c.path("path_prefix", i, p)
	}
	if r.Regex != "" {
		c.regex()
	}
	c.atMost("source", len(r.Sources))
	for i, p := range r.Sources {
		if msg := BadNetwork(p); msg != "" {
			c.add("source", i, `for example "10.0.0.0/8"`, "%s", msg)
		}
	}
	if r.BodyLimit < 0 {
		c.add("max_body_bytes", 0, "", "%d bytes are less than none", r.BodyLimit)
	}
	if r.Rate != nil {
		if msg := r.Rate.Problem(); msg != "" {
			c.add("source_rate", 0, "", "%s", msg)
		}
	}
	for i, h := range r.Headers {
		if !isToken(h[0]) || !isValue(h[1]) {
			c.add("header", i, `write "Name: value", or "Name" for any value`, "%q is not a header", h[0]+": "+h[1])
		}
	}
}

// path wants a path that every server reads in the same way.
func (c *checker) path(key string, i int, p string) {
	l, odd, dots := literal(nil, []byte(p))
	switch {
	case !strings.HasPrefix(p, "/"):
		c.add(key, i, fmt.Sprintf("write %q", "/"+p), "%q does not begin with a slash", p)
	case len(p) > MaxText:
		c.add(key, i, "", "it has %d bytes, more than the %d that are allowed", len(p), MaxText)
	case strings.ContainsAny(p, "?#"):
		c.add(key, i, "a query is not looked at; %3F stands for a question mark in a path", "%q is more than a path", p)
	case strings.ContainsAny(p, "*") && key == "path":
		c.add(key, i, "write it under path_prefix or path_regex; %2A stands for an asterisk", "%q holds an asterisk, and paths are compared whole", p)
	case odd != 0 || dots && dotted(l) || strings.Contains(strings.ReplaceAll(string(l), "%25", ""), "%"):
		c.add(key, i, `leave out "//", ";", backslashes, %2F and dot segments, and write %25 for a percent sign`, "servers do not agree how to read %q", p)
	}
}

func (c *checker) regex() {
	if len(c.r.Regex) > MaxRegex {
		c.add("path_regex", 0, "", "it has %d bytes, more than the %d that are allowed", len(c.r.Regex), MaxRegex)
		return
	}
	parsed, err := syntax.Parse(anyByte(c.r.Regex), syntax.Perl)
	if err == nil {
		_, err = regexp.Compile(c.r.Regex) // "a)(b" is well-formed in brackets only
	}
	if err != nil {
		c.add("path_regex", 0, "the syntax is RE2's: https://github.com/google/re2/wiki/Syntax", "%q is not a regular expression: %s", c.r.Regex, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return
	}
	if prog, err := syntax.Compile(parsed.Simplify()); err != nil || len(prog.Inst) > MaxProgram {
		c.add("path_regex", 0, "use smaller numbers in {}, or several rules", "it takes too long to match")
	}
}

// statuses that go with a Location (RFC 9110, 15.4).
var redirects = []int{301, 302, 303, 307, 308}

func (c *checker) action() {
	r := c.r
	switch {
	case r.Pool != "" && (r.Redirect != "" || r.Status != 0):
		c.add("pool", 0, "leave out pool, or redirect and status", "what is redirected or answered reaches no pool")
	case r.Redirect != "":
		if msg, remedy := badTarget(r.Redirect); msg != "" {
			c.add("redirect", 0, remedy, "%s", msg)
		}
		if len(r.Redirect) > MaxText {
			c.add("redirect", 0, "", "it has %d bytes, more than the %d that are allowed", len(r.Redirect), MaxText)
		}
		if r.Status != 0 && !slices.Contains(redirects, r.Status) {
			c.add("status", 0, "write 301, 302, 303, 307 or 308", "%d is not the status of a redirect", r.Status)
		}
	case r.Status != 0 && (r.Status < 200 || r.Status > 599 || slices.Contains(redirects, r.Status) || r.Status == 304 || r.Status == 205):
		c.add("status", 0, "from 200 to 599; a redirect needs redirect", "%d cannot be answered with", r.Status)
	}
	fixed := r.Redirect == "" && r.Status != 0
	switch {
	case r.Body != "" && (!fixed || r.Status == 204):
		c.add("body", 0, "give a status that has a body", "there is no answer for it to be the body of")
	case len(r.Body) > MaxBody:
		c.add("body", 0, "have a backend serve it", "it has %d bytes, more than the %d that are allowed", len(r.Body), MaxBody)
	}
	if r.ContentType != "" && (r.Body == "" || !isValue(r.ContentType)) {
		c.add("content_type", 0, "", "%q is not the type of a body", r.ContentType)
	}
}

func (c *checker) rewriting() {
	r := c.r
	byPath := len(r.Paths) > 0 || r.Regex != ""
	switch {
	case r.ReplacePrefix != "" && r.Rewrite != "":
		c.add("rewrite", 0, "leave out one of them", "replace_prefix rewrites the path already")
	case r.ReplacePrefix != "":
		if len(r.Prefixes) == 0 || byPath {
			c.add("replace_prefix", 0, "give path_prefix, and neither path nor path_regex", "it is not known which prefix it replaces")
		}
		c.target("replace_prefix", r.ReplacePrefix)
	case r.Rewrite != "":
		if r.Regex == "" || len(r.Paths)+len(r.Prefixes) > 0 {
			c.add("rewrite", 0, "give path_regex, and neither path nor path_prefix", "there is no regular expression whose groups it could hold")
		}
		c.target("rewrite", r.Rewrite)
	}
	if r.Status != 0 && r.Redirect == "" && r.ReplacePrefix+r.Rewrite != "" {
		c.add("status", 0, "leave out what rewrites the path", "the answer does not depend on the path")
	}
}

func (c *checker) target(key, p string) {
	if !strings.HasPrefix(p, "/") || !visible([]byte(p)) || strings.ContainsAny(p, `?#\`) || len(p) > MaxText {
		c.add(key, 0, "begin it with a slash, and escape what is not ASCII", "%q is not a path", p)
	}
}

// own are the fields that the proxy writes itself: they frame a message, belong to one
// connection, or are its word about the client.
var (
	own = []string{
		"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "content-length",
	}
	ownInRequests  = append([]string{"expect", "proxy", "forwarded", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}, own...)
	ownInResponses = append([]string{"date"}, own...)
)

func (c *checker) fields() {
	r := c.r
	c.lines("set_request_headers", r.SetRequest, ownInRequests)
	c.lines("add_request_headers", r.AddRequest, append([]string{"host"}, ownInRequests...))
	c.names("remove_request_headers", r.RemoveRequest, append([]string{"host"}, ownInRequests...))
	c.lines("set_response_headers", r.SetResponse, ownInResponses)
	c.lines("add_response_headers", r.AddResponse, ownInResponses)
	c.names("remove_response_headers", r.RemoveResponse, ownInResponses)
}

func (c *checker) lines(key string, lines [][2]string, forbidden []string) {
	c.atMost(key, len(lines))
	for i, l := range lines {
		c.name(key, i, l[0], forbidden)
		switch {
		case !isValue(l[1]) || len(l[1]) > MaxText:
			c.add(key, i, fmt.Sprintf("at most %d characters, no control characters, and no white space around", MaxText), "%q cannot be the value of a header", l[1])
		case strings.EqualFold(l[0], "host") && !isHost(withoutPortText(l[1])):
			c.add(key, i, `for example "app.internal" or "app.internal:8080"`, "%q is not a host", l[1])
		}
	}
}

func (c *checker) names(key string, names []string, forbidden []string) {
	c.atMost(key, len(names))
	for i, n := range names {
		c.name(key, i, n, forbidden)
	}
}

func (c *checker) name(key string, i int, name string, forbidden []string) {
	switch {
	case !isToken(name):
		c.add(key, i, `write "Name: value"; only the name where headers are removed`, "%q is not the name of a header", name)
	case slices.ContainsFunc(forbidden, func(f string) bool { return alike([]byte(name), []byte(f)) }):
		c.add(key, i, "leave it out", "%s is not for a rule to change: the proxy writes it", name)
	}
}

// isToken tells whether s is a token (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	}) < 0
}

// isValue tells whether s can be the value of a header as a whole.
func isValue(s string) bool {
	return s == strings.Trim(s, " \t") && strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0
}

func withoutPortText(s string) string {
	host := string(withoutPort([]byte(s)))
	for _, c := range strings.TrimPrefix(s[len(host):], ":") {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return host
}

// isHost tells whether s is a host name, an IPv4 address, or an IPv6 address in brackets.
func isHost(s string) bool {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return strings.Trim(s[1:len(s)-1], "0123456789abcdefABCDEF:.") == ""
	}
	return s != "" && len(s) <= 253 && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}) < 0 && s[len(s)-1] != '.'
}
