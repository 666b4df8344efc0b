package importer

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// match is what one rule of a frontend looks at; what is empty fits anything. All of it must fit, and of a list one.
type match struct {
	hosts, methods []string
	paths          []pathTest
	headers        []string // all of them
	sources        []netip.Prefix
}

// pathTest is one way in which a path may fit: it is the text, begins with it, or the expression in it matches.
type pathTest struct {
	kind byte // one of the following
	text string
}

const (
	pathIs     = '='
	pathBegins = '^'
	pathFits   = '~'
)

var (
	errTwice = errors.New("a rule looks at the path once, and this asks for two things of it: write one regular expression for both into path_regex")
	errMany  = fmt.Errorf("it would take more than %d rules: write those that matter by hand, exceptions first", maxRules)
)

// maxRules bounds the rules that are made for one frontend.
const maxRules = 100

// and fits what fits both; ok is false if nothing does.
func (a match) and(b match) (c match, ok bool, err error) {
	if c.hosts, ok = common(a.hosts, b.hosts); !ok {
		return c, false, nil
	}
	if c.methods, ok = common(a.methods, b.methods); !ok {
		return c, false, nil
	}
	switch c.sources = intersect(a.sources, b.sources); {
	case len(a.sources) == 0:
		c.sources = b.sources
	case len(b.sources) == 0:
		c.sources = a.sources
	case len(c.sources) == 0:
		return c, false, nil
	}
	c.headers = slices.Clone(a.headers)
	for _, h := range b.headers {
		if !slices.Contains(c.headers, h) {
			c.headers = append(c.headers, h)
		}
	}
	switch {
	case len(a.paths) == 0:
		c.paths = b.paths
	case len(b.paths) == 0:
		c.paths = a.paths
	default:
		if c.paths, err = commonPaths(a.paths, b.paths); err != nil || len(c.paths) == 0 {
			return c, false, err
		}
	}
	return c, true, nil
}

// common has what is in both, where an empty list has everything; ok is false if that is nothing.
func common(a, b []string) (c []string, ok bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	}
	for _, s := range a {
		if slices.Contains(b, s) {
			c = append(c, s)
		}
	}
	return c, len(c) > 0
}

func commonPaths(a, b []pathTest) (c []pathTest, err error) {
	for _, x := range a {
		for _, y := range b {
			t, ok, err := x.and(y)
			if err != nil {
				return nil, err
			}
			if ok && !slices.Contains(c, t) {
				c = append(c, t)
			}
		}
	}
	return c, nil
}

func (t pathTest) and(o pathTest) (pathTest, bool, error) {
	switch {
	case t == o:
		return t, true, nil
	case t.kind == pathIs:
		return t, o.holds(t.text), nil
	case o.kind == pathIs:
		return o, t.holds(o.text), nil
	case t.kind == pathBegins && o.kind == pathBegins:
		if len(t.text) < len(o.text) {
			t, o = o, t
		}
		return t, strings.HasPrefix(t.text, o.text), nil
	}
	return t, false, errTwice
}

func (t pathTest) holds(path string) bool {
	switch t.kind {
	case pathIs:
		return path == t.text
	case pathBegins:
		return strings.HasPrefix(path, t.text)
	}
	return regexp.MustCompile(t.text).MatchString(path)
}

// all says that it fits every request.
func (a match) all() bool {
	return len(a.hosts)+len(a.methods)+len(a.paths)+len(a.headers)+len(a.sources) == 0
}

func (a match) equals(b match) bool { return a.key() == b.key() }

func (a match) key() string {
	return fmt.Sprintf("%q %q %q %q %q", a.hosts, a.methods, a.paths, a.headers, a.sources)
}

// step is a line that decides about the requests that meet its condition, unless an earlier one has.
type step struct {
	from   place
	does   deed
	cond   []conjunction // one of them must hold
	routes bool          // it belongs to a list of its own that stands behind, and allow does not skip it
}

// conjunction holds of a request that fits one of is, and none of except.
type conjunction struct{ is, except []match }

// deed is what a rule does: it redirects, answers with a status, sends to a pool, or lets by to what follows.
type deed struct {
	redirect string
	status   int // of the redirect, or of the answer
	pool     string
	allow    bool // the steps before the routes are skipped; of a rule: it sends to the frontend's pool
}

// decision is a rule: the first that fits decides.
type decision struct {
	match
	deed
	from place
}

// decide turns steps into rules. What a condition excepts becomes rules that stand before: those of the steps behind it,
// for these requests alone, and one that lets the rest of them by.
func decide(steps []step) ([]decision, error) {
	d := decider{seen: map[string]bool{}}
	if err := d.run(plainFirst(steps), match{}); err != nil {
		return nil, err
	}
	for n := len(d.out); n > 0 && d.out[n-1].allow; n-- { // they end where no rule fits, too
		d.out = d.out[:n-1]
	}
	return d.out, nil
}

// plainFirst has, of refusals that follow one another, those stand first that except nobody: it takes fewer rules to say.
// Which of two comes first decides the status alone, of a request that both refuse.
func plainFirst(steps []step) (out []step) {
	var excepting []step // refusals that wait for the end of their run
	for _, s := range steps {
		if s.does.status < 400 {
			out, excepting = append(append(out, excepting...), s), nil
			continue
		}
		for _, c := range s.cond {
			one := step{s.from, s.does, []conjunction{c}, s.routes}
			if len(c.except) > 0 {
				excepting = append(excepting, one)
			} else {
				out = append(out, one)
			}
		}
	}
	return append(out, excepting...)
}

type decider struct {
	out  []decision
	seen map[string]bool // matches that have a rule
	work int             // exceptions of exceptions double it, even where they add no rule
}

// run adds the rules of steps for the requests that fit within.
func (d *decider) run(steps []step, within match) error {
	for i, s := range steps {
		for j, c := range s.cond {
			rest := append([]step{{s.from, s.does, s.cond[j+1:], s.routes}}, steps[i+1:]...)
			for _, is := range c.is {
				m, ok, err := within.and(is)
				if err == nil && ok {
					err = d.one(s, m, c.except, rest)
				}
				if err != nil {
					return err
				}
				if ok && m.equals(within) {
					return nil // nothing is left to decide about
				}
			}
		}
	}
	return nil
}

// one adds the rules of one step for the requests that fit m.
func (d *decider) one(s step, m match, except []match, rest []step) error {
	for _, e := range except {
		x, ok, err := m.and(e)
		if err == nil && ok {
			err = d.let(s, x, rest)
		}
		if err != nil {
			return err
		}
	}
	if !s.does.allow {
		return d.add(decision{m, s.does, s.from})
	}
	i := slices.IndexFunc(rest, func(r step) bool { return r.routes })
	if i < 0 {
		i = len(rest)
	}
	return d.let(s, m, rest[i:])
}

// let has rest decide about the requests that fit m, and lets by whom it does not know.
func (d *decider) let(s step, m match, rest []step) error {
	if d.work++; d.work > 50*maxRules {
		return errMany
	}
	if err := d.run(rest, m); err != nil {
		return err
	}
	return d.add(decision{m, deed{allow: true}, s.from})
}

func (d *decider) add(r decision) error {
	if key := r.key(); !d.seen[key] { // else an earlier rule has them
		d.seen[key] = true
		d.out = append(d.out, r)
	}
	if len(d.out) > maxRules {
		return errMany
	}
	return nil
}
