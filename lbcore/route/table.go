package route

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Table is a list of rules, ready for use. It is immutable and may be used by many goroutines.
type Table struct {
	rules []rule
	paths bool // some rule looks at paths
	hosts bool // and at hosts

	sources bool // and at the clients' addresses
}

// rule is a compiled Rule.
type rule struct {
	*Rule    // rarely looked at
	hosts    []host
	methods  [][]byte
	paths    [][]byte // literal
	prefixes [][]byte // literal, without slash at the end
	regex    *regexp.Regexp
	headers  []header
	sources  Networks
	byPath   bool
}

type host struct {
	name     []byte // a wildcard's from its first dot on
	wildcard bool
}

type header struct{ name, value []byte }

// Compile makes a Table. The error tells all [Problem]s of all rules.
func Compile(rules []Rule) (*Table, error) {
	t := new(Table)
	var errs []error
	if len(rules) > MaxRules {
		errs = append(errs, fmt.Errorf("%d rules: want at most %d", len(rules), MaxRules))
	}
	names := make(map[string]bool, len(rules))
	for i := range rules {
		r := &rules[i]
		for _, p := range r.Problems() {
			errs = append(errs, fmt.Errorf("rule %q: %s: %s", r.Name, p.Key, p.Msg))
		}
		if names[r.Name] {
			errs = append(errs, fmt.Errorf("rule %q is given twice", r.Name))
		}
		names[r.Name] = true
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, r := range rules {
		c := newRule(&r)
		t.rules = append(t.rules, c)
		t.paths = t.paths || c.byPath
		t.hosts = t.hosts || len(c.hosts) > 0
		t.sources = t.sources || !c.sources.Empty()
	}
	return t, nil
}

func newRule(r *Rule) rule {
	c := rule{Rule: r}
	for _, h := range r.Hosts {
		h = strings.ToLower(h)
		suffix, wildcard := strings.CutPrefix(h, "*")
		c.hosts = append(c.hosts, host{[]byte(suffix), wildcard})
	}
	for _, m := range r.Methods {
		c.methods = append(c.methods, []byte(m))
	}
	for _, p := range r.Paths {
		l, _, _ := literal(nil, []byte(p))
		c.paths = append(c.paths, l)
	}
	for _, p := range r.Prefixes {
		l, _, _ := literal(nil, []byte(p))
		c.prefixes = append(c.prefixes, bytes.TrimSuffix(l, []byte("/")))
	}
	if r.Regex != "" {
		c.regex = regexp.MustCompile(anyByte(r.Regex))
	}
	for _, h := range r.Headers {
		c.headers = append(c.headers, header{bytes.ToLower([]byte(h[0])), []byte(h[1])})
	}
	c.sources = NewNetworks(r.Sources)
	c.byPath = len(c.paths)+len(c.prefixes) > 0 || c.regex != nil
	return c
}

// anyByte has "." stand for a line feed too: a path with one in it (%0A) must not slip
// through between two parts of an expression.
func anyByte(expr string) string { return "(?s:" + expr + ")" }

// Rules is the number of rules.
func (t *Table) Rules() int { return len(t.rules) }

// BySource says that some rule looks at Request.Source.
func (t *Table) BySource() bool { return t.sources }

// Rule returns the i-th rule as it was given.
func (t *Table) Rule(i int) *Rule { return t.rules[i].Rule }

// Match returns the index of the rule that the request meets, or -1. ok is false if that
// depends on how a server reads the path: see the package's comment.
func (t *Table) Match(r *Request, s *Scratch) (i int, ok bool) {
	if t.hosts {
		s.host = plainHost(s.host[:0], r.Host)
	}
	if !t.paths || len(r.Path) == 0 || r.Path[0] != '/' {
		return t.first(r, s.host, nil), true
	}
	var odd oddity
	var dots bool
	s.literal, odd, dots = literal(s.literal[:0], r.Path)
	if dots && s.dotted(odd) {
		return -1, false
	}
	i = t.first(r, s.host, s.literal)
	if odd != 0 && !t.same(i, r, s, odd) {
		return -1, false
	}
	return i, true
}

// dotted says that a server may find a dot segment in the literal path.
func (s *Scratch) dotted(odd oddity) bool {
	for how := oddity(0); how < oddities; how++ {
		if how&^odd != 0 {
			continue
		}
		s.reading, s.other = read(s.reading[:0], s.other, s.literal, how)
		if dotted(s.reading) {
			return true
		}
	}
	return false
}

// same says that every reading of the literal path meets rule i.
func (t *Table) same(i int, r *Request, s *Scratch, odd oddity) bool {
	for how := oddity(0); how < oddities; how++ {
		if how == 0 || how&^odd != 0 {
			continue
		}
		s.reading, s.other = read(s.reading[:0], s.other, s.literal, how)
		if t.first(r, s.host, s.reading) != i {
			return false
		}
	}
	return true
}

// first returns the first rule that fits, or -1; path is nil for a request without one.
func (t *Table) first(r *Request, host, path []byte) int {
	for i := range t.rules {
		if t.rules[i].unfit(r, host, path) == fits {
			return i
		}
	}
	return -1
}

// reason is why a rule does not fit.
type reason uint8

const (
	fits reason = iota
	otherHost
	otherMethod
	otherPath
	otherHeader
	otherSource
)

func (c *rule) unfit(r *Request, host, path []byte) reason {
	switch {
	case len(c.hosts) > 0 && !c.fitsHost(host):
		return otherHost
	case len(c.methods) > 0 && !among(c.methods, r.Method):
		return otherMethod
	case c.byPath && !c.fitsPath(path):
		return otherPath
	case !c.sources.Empty() && !c.sources.Contains(r.Source):
		return otherSource
	}
	for i := range c.headers {
		if !c.headers[i].in(r.Fields) {
			return otherHeader
		}
	}
	return fits
}

func (c *rule) fitsHost(name []byte) bool {
	for i := range c.hosts {
		h := &c.hosts[i]
		switch {
		case !h.wildcard:
			if bytes.Equal(h.name, name) {
				return true
			}
		case len(name) > len(h.name) && bytes.HasSuffix(name, h.name):
			if bytes.IndexByte(name[:len(name)-len(h.name)], '.') < 0 {
				return true
			}
		}
	}
	return false
}

func among(list [][]byte, b []byte) bool {
	for _, x := range list {
		if bytes.Equal(x, b) {
			return true
		}
	}
	return false
}

func (c *rule) fitsPath(path []byte) bool {
	return path != nil && (among(c.paths, path) || c.prefix(path) >= 0 || c.regex != nil && c.regex.Match(path))
}

// prefix returns how long the prefix is that fits, or -1. A ";" ends a name as a slash does.
func (c *rule) prefix(path []byte) int {
	for _, p := range c.prefixes {
		if bytes.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/' || path[len(p)] == ';') {
			return len(p)
		}
	}
	return -1
}

// in says that a line of that name has that value. "_" is taken for "-", since some servers
// cannot tell them apart.
func (h *header) in(f Fields) bool {
	for i := range f.NumFields() {
		name, value := f.Field(i)
		if alike(name, h.name) && (len(h.value) == 0 || bytes.Equal(value, h.value)) {
			return true
		}
	}
	return false
}

func alike(name, lower []byte) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if fold(c) != fold(lower[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_':
		return '-'
	}
	return c
}

// plainHost appends a host in lower case, without port and final dot.
func plainHost(dst, host []byte) []byte {
	for _, c := range withoutPort(host) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return bytes.TrimSuffix(dst, []byte("."))
}

func withoutPort(host []byte) []byte {
	if i := bytes.LastIndexByte(host, ':'); i >= 0 && bytes.IndexByte(host[i:], ']') < 0 {
		return host[:i]
	}
	return host
}
