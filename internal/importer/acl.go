package importer

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Conditions of HAProxy (configuration.txt, 7): names of ACLs and anonymous ones, all of which must hold; "or" begins an
// alternative; "!" negates.

// literal is one part of a condition: one of the matches fits, or none does.
type literal struct {
	any     []match
	negated bool
	acls    []place // lines of its definition
}

// reader reads the conditions of one section, as they are for one of its binds.
type reader struct {
	body []directive
	tls  bool // the bind speaks it
	raw  bool // they are asked before any http-request line
}

// notUnderstood says which part of a condition there is no counterpart for.
type notUnderstood struct{ what string }

func (e notUnderstood) Error() string {
	return fmt.Sprintf("its condition is not understood (%s): a rule looks at host, path, method, header lines and networks of clients", e.what)
}

// condition reads what stands behind if or unless, as alternatives of parts that must all hold.
func (r reader) condition(w []string, unless bool) (alternatives [][]literal, err error) {
	now := []literal{}
	for i := 0; i < len(w); {
		negated := false
		for i < len(w) && strings.HasPrefix(w[i], "!") { // it may stand alone
			w = slices.Clone(w)
			if negated, w[i] = !negated, w[i][1:]; w[i] == "" {
				i++
			}
		}
		if i == len(w) {
			return nil, errors.New("its condition ends where a negated part should follow")
		}
		if w[i] == "or" || w[i] == "||" {
			alternatives, now = append(alternatives, now), []literal{}
			i++
			continue
		}
		l, n, err := r.part(w[i:])
		if err != nil {
			return nil, err
		}
		l.negated = negated
		now = append(now, l)
		i += n
	}
	alternatives = append(alternatives, now)
	if slices.ContainsFunc(alternatives, func(a []literal) bool { return len(a) == 0 }) {
		return nil, errors.New("its condition is empty")
	}
	if unless {
		return opposite(alternatives)
	}
	return alternatives, nil
}

// opposite negates a condition: of each alternative one part must not hold.
func opposite(alternatives [][]literal) ([][]literal, error) {
	out := [][]literal{nil}
	for _, a := range alternatives {
		var next [][]literal
		for _, o := range out {
			for _, l := range a {
				l.negated = !l.negated
				next = append(next, append(slices.Clone(o), l))
			}
		}
		if out = next; len(out) > maxRules {
			return nil, errMany
		}
	}
	return out, nil
}

// part reads the first part of w, which has n words.
func (r reader) part(w []string) (l literal, n int, err error) {
	if w[0] != "{" {
		l, err = r.named(w[0])
		return l, 1, err
	}
	end := slices.Index(w, "}")
	if end < 2 {
		return l, 0, errors.New("its condition has a { without a }")
	}
	l.any, err = r.criterion(w[1:end])
	return l, end + 1, err
}

// predefined are ACLs that are there without a definition (configuration.txt, 7.4).
var predefined = map[string][]string{
	"TRUE": {"always_true"}, "FALSE": {"always_false"}, "LOCALHOST": {"src", "127.0.0.0/8", "::1"}, "METH_GET": {"method", "GET", "HEAD"},
	"METH_HEAD": {"method", "HEAD"}, "METH_POST": {"method", "POST"}, "METH_PUT": {"method", "PUT"}, "METH_DELETE": {"method", "DELETE"},
	"METH_OPTIONS": {"method", "OPTIONS"}, "METH_TRACE": {"method", "TRACE"}, "METH_CONNECT": {"method", "CONNECT"},
}

// named finds the ACL of a name; several lines of one are alternatives.
func (r reader) named(name string) (l literal, err error) {
	for _, d := range r.body {
		if len(d.words) < 3 || d.words[0] != "acl" || d.words[1] != name {
			continue
		}
		any, err := r.criterion(d.words[2:])
		if err != nil {
			return l, err
		}
		l.any, l.acls = append(l.any, any...), append(l.acls, d.place)
	}
	l.any = together(l.any)
	if len(l.acls) > 0 {
		return l, nil
	}
	w := predefined[name]
	if w == nil {
		return l, notUnderstood{"there is no acl " + name}
	}
	l.any, err = r.criterion(w)
	return l, err
}

// together makes one match of those that look at networks alone, and one of those that look at paths alone.
func together(all []match) (out []match) {
	for _, m := range all {
		alike := func(o match) bool {
			return m.equals(match{sources: m.sources}) && o.equals(match{sources: o.sources}) && len(o.sources) > 0 ||
				m.equals(match{paths: m.paths}) && o.equals(match{paths: o.paths}) && len(o.paths) > 0
		}
		if i := slices.IndexFunc(out, alike); i >= 0 && !m.all() {
			out[i].sources, out[i].paths = union(out[i].sources, m.sources), append(slices.Clone(out[i].paths), m.paths...)
		} else {
			out = append(out, m)
		}
	}
	return out
}

// suffixes of fetches that stand for a way of matching.
var suffixes = map[string]string{"_beg": "beg", "_end": "end", "_sub": "sub", "_reg": "reg", "_dir": "dir"}

// criterion reads a fetch, its flags and its patterns.
func (r reader) criterion(w []string) ([]match, error) {
	fetch, how, fold, patterns, ok := flags(w)
	if d, is := r.rewritten(fetch); is {
		return nil, notUnderstood{fmt.Sprintf("line %d changes what it looks at", d.line)}
	}
	switch what := strings.Join(w, " "); {
	case !ok:
	case fetch == "always_true", fetch == "ssl_fc" && r.tls && len(patterns) == 0:
		return []match{{}}, nil
	case fetch == "always_false", fetch == "ssl_fc" && len(patterns) == 0:
		return nil, nil
	case how == "found" && len(patterns) == 0:
		if name, is := headerOf(fetch); is {
			return []match{{headers: []string{name}}}, nil
		}
	case len(patterns) == 0:
	case fetch == "src" && how == "":
		return sources(patterns, what)
	case fetch == "method" && (how == "" || how == "str"):
		return []match{{methods: patterns}}, nil
	case fetch == "path" && (how != "found"):
		return paths(patterns, how, fold, what)
	case how == "" || how == "str":
		if name, is := headerOf(fetch); is && strings.EqualFold(name, "host") {
			return hosts(patterns), nil
		} else if is && strings.HasPrefix(fetch, "req.fhdr(") && !fold { // hdr takes values with commas apart
			return lines(name, patterns), nil
		}
	}
	return nil, notUnderstood{strings.Join(w, " ")}
}

// rewrites are words of lines that change what conditions see, and which fetches those are.
var rewrites = map[string]string{
	"set-src": "src", "set-method": "method", "set-path": "path", "set-pathq": "path", "set-uri": "path", "replace-path": "path", "replace-pathq": "path",
	"replace-uri": "path", "normalize-uri": "path",
}

// rewritten finds a line that changes what a fetch looks at, wherever it stands: pools are chosen behind all of them.
func (r reader) rewritten(fetch string) (d directive, is bool) {
	header, _ := headerOf(fetch)
	i := slices.IndexFunc(r.body, func(d directive) bool {
		if len(d.words) < 3 || (d.words[0] != "http-request" || r.raw) && d.words[0] != "tcp-request" {
			return false
		}
		touches := strings.HasSuffix(d.words[1], "-header") && header != "" && strings.EqualFold(d.words[2], header)
		return touches || rewrites[d.words[1]] == fetch || rewrites[d.words[2]] == fetch
	})
	if i < 0 {
		return d, false
	}
	return r.body[i], true
}

// flags takes a criterion apart; how is "" for the fetch's own way of matching.
func flags(w []string) (fetch, how string, fold bool, patterns []string, ok bool) {
	fetch = w[0]
	for suffix, h := range suffixes {
		if f, is := strings.CutSuffix(fetch, suffix); is {
			fetch, how = f, h
		}
	}
	for i := 1; i < len(w); i++ {
		switch {
		case w[i] == "--":
			return fetch, how, fold, w[i+1:], true
		case w[i] == "-i":
			fold = true
		case w[i] == "-m" && i+1 < len(w):
			i++
			how = w[i]
		case strings.HasPrefix(w[i], "-"):
			return fetch, how, fold, nil, false // patterns of a file, and of other sorts
		default:
			return fetch, how, fold, w[i:], true
		}
	}
	return fetch, how, fold, nil, true
}

// headerOf is the header that a fetch of one looks at.
func headerOf(fetch string) (name string, ok bool) {
	for _, f := range []string{"hdr(", "req.hdr(", "req.fhdr("} {
		if name, is := strings.CutPrefix(fetch, f); is {
			name, is = strings.CutSuffix(name, ")")
			return name, is && name != "" && !strings.ContainsAny(name, ",()")
		}
	}
	return "", false
}

func sources(patterns []string, what string) ([]match, error) {
	var m match
	for _, p := range patterns {
		n, ok := network(p)
		if !ok {
			return nil, notUnderstood{what}
		}
		m.sources = append(m.sources, netip.MustParsePrefix(n))
	}
	m.sources = union(m.sources, nil)
	return []match{m}, nil
}

func hosts(patterns []string) []match {
	var m match
	for _, p := range patterns {
		m.hosts = append(m.hosts, strings.ToLower(p))
	}
	return []match{m}
}

func lines(name string, values []string) (all []match) {
	for _, v := range values {
		all = append(all, match{headers: []string{name + ": " + v}})
	}
	return all
}

func paths(patterns []string, how string, fold bool, what string) ([]match, error) {
	var m match
	for _, p := range patterns {
		t, ok := pathOf(p, how, fold)
		if !ok {
			return nil, notUnderstood{what}
		}
		m.paths = append(m.paths, t)
	}
	return []match{m}, nil
}

// pathOf is the test that a pattern for paths is. path_beg /api has /apix, too, so that it is no path_prefix.
func pathOf(p, how string, fold bool) (t pathTest, ok bool) {
	text := regexp.QuoteMeta(p)
	switch how {
	case "", "str":
		t, text = pathTest{pathIs, p}, "^"+text+"$"
	case "beg":
		t, text = pathTest{pathBegins, p}, "^"+text
	case "end":
		text += "$"
	case "sub":
	case "dir":
		text = "(?:^|/)" + regexp.QuoteMeta(strings.Trim(p, "/")) + "(?:/|$)"
	case "reg":
		text = p
	default:
		return t, false
	}
	if fold {
		text = "(?i:" + text + ")"
	}
	if t.kind == 0 || fold {
		t = pathTest{pathFits, text}
	}
	_, err := regexp.Compile(text)
	escaped := t.kind != pathIs && strings.Contains(p, "%") // expressions see paths decoded
	return t, err == nil && p != "" && !escaped
}
