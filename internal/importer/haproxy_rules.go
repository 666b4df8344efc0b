package importer

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rules are what the lines of a section that decide about requests become: http-request deny, allow and redirect,
// redirect, and use_backend, which HAProxy asks in this order, whatever theirs in the file is.
type rules struct {
	decisions []decision
	said      map[place]verdict
	acls      []place // of the lines that were taken over
	steps     []step  // of these
	deaf      *place  // an allow that is not understood: what it lets through is not known
}

// rules reads them for one bind of a section. Each line is tried with those before it: one that cannot be said beside
// them is left out, and reported.
func (p *proxy) rules(tls bool) *rules {
	r := &rules{said: map[place]verdict{}}
	read := reader{body: p.body, tls: tls}
	for _, routes := range []string{"", "redirect", "use_backend"} {
		for _, d := range p.body {
			if _, limited := p.limits.said[d.place]; limited || d.words[0] != cmp.Or(routes, "http-request") {
				continue
			}
			does, cond, ok := deedOf(d.words)
			if ok {
				r.add(read, step{from: d.place, does: does, routes: routes != ""}, cond)
			}
		}
	}
	for _, s := range r.steps {
		if !s.does.allow && !slices.ContainsFunc(r.decisions, func(d decision) bool { return d.from == s.from }) {
			r.said[s.from] = verdict{Taken, unmet}
		}
	}
	return r
}

// unmet is said of a line behind others that have decided about all requests.
const unmet = "no request comes as far as this line"

// add reads the condition of one step and takes it over, if that can be.
func (r *rules) add(read reader, s step, cond []string) {
	refuses := s.does.status >= 400
	if refuses && r.deaf != nil {
		r.said[s.from] = verdict{Left, "an allow before it is not understood, and may let through what this refuses: write both as rules, the exception first"}
		return
	}
	alternatives, err := [][]literal{{{any: []match{{}}}}}, error(nil)
	if len(cond) > 0 {
		alternatives, err = read.condition(cond[1:], cond[0] == "unless")
	}
	var acls []place
	for _, a := range alternatives {
		c, possible, cerr := conjoin(a)
		if err = cmp.Or(err, cerr); err == nil && possible {
			s.cond = append(s.cond, c)
		}
		for _, l := range a {
			acls = append(acls, l.acls...)
		}
	}
	var all []decision
	if err == nil {
		all, err = decide(append(slices.Clone(r.steps), s))
	}
	if err != nil {
		r.said[s.from] = verdict{Left, leftNote(s.does) + err.Error()}
		if s.does.allow {
			r.deaf = &s.from
		}
		return
	}
	r.steps, r.decisions, r.acls = append(r.steps, s), all, append(r.acls, acls...)
	r.said[s.from] = takenRule(s)
}

// leftNote begins the reason why a line was left with what that means.
func leftNote(d deed) string {
	switch {
	case d.redirect != "":
		return "these requests are not redirected now: "
	case d.allow:
		return "what is refused behind it is not taken over either: "
	case d.status >= 400:
		return letsIn
	}
	return "these requests go to the default_backend: "
}

// takenRule says what a line has become.
func takenRule(s step) verdict {
	note := "frontend.rule with "
	switch {
	case s.does.redirect != "":
		note += "redirect"
	case s.does.allow:
		return verdict{Taken, "rules for what is refused behind it except these requests"}
	case s.does.pool != "":
		note += "pool = " + s.does.pool
	default:
		note += "status = " + strconv.Itoa(s.does.status)
	}
	byHost := func(ms []match) bool { return slices.ContainsFunc(ms, func(m match) bool { return len(m.hosts) > 0 }) }
	if slices.ContainsFunc(s.cond, func(c conjunction) bool { return byHost(c.is) || byHost(c.except) }) {
		return verdict{Changed, note + "; hosts are compared without port and in lower case"}
	}
	return verdict{Taken, note}
}

// conjoin makes one condition of literals that must all hold; possible is false if they never do.
func conjoin(all []literal) (c conjunction, possible bool, err error) {
	c.is = []match{{}}
	for _, l := range all {
		certain := slices.ContainsFunc(l.any, match.all)
		switch {
		case l.negated && certain || !l.negated && len(l.any) == 0:
			return c, false, nil
		case l.negated:
			c.except = append(c.except, l.any...)
		case !certain:
			if c.is, err = product(c.is, l.any); err != nil {
				return c, false, err
			}
		}
	}
	return c, len(c.is) > 0, nil
}

func product(a, b []match) (out []match, err error) {
	for _, x := range a {
		for _, y := range b {
			m, ok, err := x.and(y)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, m)
			}
		}
	}
	if len(out) > maxRules {
		return nil, errMany
	}
	return out, nil
}

// deedOf reads what a line does to the requests that meet its condition; ok is false for a line that decides nothing, or
// in a way that no rule can.
func deedOf(w []string) (d deed, cond []string, ok bool) {
	i := slices.IndexFunc(w, func(s string) bool { return s == "if" || s == "unless" })
	if i < 0 {
		i = len(w)
	}
	w, cond = w[:i], w[i:]
	if w[0] == "http-request" {
		w = w[1:]
	}
	switch {
	case len(w) == 0:
	case w[0] == "allow" && len(w) == 1:
		return deed{allow: true}, cond, true
	case w[0] == "deny" && len(w) == 1:
		return deed{status: 403}, cond, true
	case w[0] == "deny" && len(w) == 3 && (w[1] == "deny_status" || w[1] == "status"):
		n, err := strconv.Atoi(w[2])
		return deed{status: n}, cond, err == nil && n >= 400
	case w[0] == "use_backend" && len(w) == 2 && !strings.ContainsAny(w[1], "%["):
		return deed{pool: label(w[1])}, cond, true
	case w[0] == "redirect":
		d, err := redirection(w[1:])
		return d, cond, err == nil
	}
	return d, cond, false
}

// redirection reads location URL, prefix URL or scheme SCHEME, and code STATUS.
func redirection(w []string) (d deed, err error) {
	no := errors.New("it makes its target of something else than host, path and query")
	d.status = 302
	if len(w) == 4 && w[2] == "code" {
		d.status, err = strconv.Atoi(w[3])
		w = w[:2]
	}
	if err != nil || len(w) != 2 || strings.ContainsAny(w[1], "%{}") {
		return d, no
	}
	switch w[0] {
	case "location":
		d.redirect = w[1]
	case "prefix":
		d.redirect = strings.TrimSuffix(w[1], "/") + "{path}{query}"
	case "scheme":
		d.redirect = w[1] + "://{host}{path}{query}"
	default:
		return d, no
	}
	return d, nil
}

// decide adds the rules of a section behind a frontend.
func (b *builder) decide(p *proxy, f *block, tls bool) {
	r := p.rules(tls)
	if p.ruled == nil {
		p.ruled = map[place]verdict{}
	}
	for at, v := range r.said {
		was, said := p.ruled[at]
		if was.became == Left || said && v.note == unmet { // another bind has the last word
			continue
		}
		p.ruled[at] = v
	}
	for _, at := range r.acls {
		p.ruled[at] = verdict{Taken, ""}
	}
	r.emit(b, slices.ContainsFunc(f.lines, func(l line) bool { return l.key == "pool" }))
}

// emit writes the rules behind a frontend, which may have a pool. Without one HAProxy answers 503 to whom no rule knows.
func (r *rules) emit(b *builder, pool bool) {
	for _, d := range r.decisions {
		if d.allow && !pool {
			d.status = 503
		}
		blk := b.add(ruleHead, d.from)
		put := func(key string, values []string) {
			if len(values) > 0 {
				blk.vital(key, quoteList(values), d.from)
			}
		}
		put("host", d.hosts)
		put("method", d.methods)
		whole, expression := d.pathKeys()
		put("path", whole)
		if expression != "" {
			blk.vital("path_regex", quote(expression), d.from)
		}
		put("header", d.headers)
		put("source", networksOf(d.sources))
		if d.redirect != "" {
			blk.vital("redirect", quote(d.redirect), d.from)
		}
		if d.status != 0 {
			blk.vital("status", strconv.Itoa(d.status), d.from)
		}
		if d.pool != "" {
			blk.vital("pool", quote(d.pool), d.from)
		}
	}
}

const ruleHead = "[[frontend.rule]]"

// pathKeys are the whole paths of a match, and one expression for all its other tests.
func (m match) pathKeys() (whole []string, expression string) {
	var all []string
	for _, t := range m.paths {
		switch t.kind {
		case pathIs:
			whole = append(whole, t.text)
		case pathBegins:
			all = append(all, "^"+regexp.QuoteMeta(t.text))
		default:
			all = append(all, t.text)
		}
	}
	return whole, strings.Join(all, "|")
}
