package route

import (
	"fmt"
	"net/netip"
	"strings"
)

// Explanation is why a request meets the rule that it meets.
type Explanation struct {
	Winner int    // index of the rule; -1: none
	Why    string // where the request is refused: why; else empty
	Path   string // as it was compared, decoded; empty where there is none
	Sends  string // the path that goes on, or stands in {path}

	Location string // of a redirect
	Steps    []Step // one for each rule up to the winner
}

// Step is one rule that was looked at.
type Step struct {
	Rule string
	Fits bool
	Why  string // why not
}

// Explain tells what Match does, step by step. It is not quick.
func (t *Table) Explain(r *Request) Explanation {
	var s Scratch
	i, ok := t.Match(r, &s)
	e := Explanation{Winner: i, Path: string(s.literal)}
	if !ok {
		e.Why = t.refused(r, &s)
		return e
	}
	var path []byte
	if len(r.Path) > 0 && r.Path[0] == '/' {
		path, _, _ = literal(nil, r.Path)
		e.Path = string(path)
	}
	host := plainHost(nil, r.Host)
	for k := range t.rules {
		if k > i && i >= 0 {
			break
		}
		why := t.rules[k].unfit(r, host, path)
		e.Steps = append(e.Steps, Step{Rule: t.rules[k].Name, Fits: why == fits, Why: t.rules[k].why(why, string(host), r, string(path))})
	}
	e.Sends = string(r.Path)
	if i >= 0 {
		sends, ok := t.AppendPath(nil, i, r, &s)
		if e.Sends = string(sends); !ok {
			e.Why = fmt.Sprintf("what rule %s makes of the path would hold a dot segment", t.rules[i].Name)
			return e
		}
		t.Match(r, &s) // since AppendPath has used s
		at, ok := t.AppendLocation(nil, i, r, &s)
		if e.Location = string(at); !ok {
			e.Why = "the request does not say which host it means"
		}
	}
	return e
}

func (c *rule) why(r reason, host string, req *Request, path string) string {
	switch r {
	case otherHost:
		return fmt.Sprintf("host is %q, not %s", host, list(c.Hosts))
	case otherMethod:
		return fmt.Sprintf("method is %s, not %s", req.Method, strings.Join(c.Methods, " or "))
	case otherPath:
		var want []string
		if len(c.Paths) > 0 {
			want = append(want, list(c.Paths))
		}
		if len(c.Prefixes) > 0 {
			want = append(want, "below "+list(c.Prefixes))
		}
		if c.Regex != "" {
			want = append(want, "matched by "+c.Regex)
		}
		return fmt.Sprintf("path is %q, not %s", path, strings.Join(want, " or "))
	case otherSource:
		if !req.Source.IsValid() {
			return "it is for clients in " + networkList(c.Sources)
		}
		return fmt.Sprintf("the client, %s, is not in %s", req.Source, networkList(c.Sources))
	case otherHeader:
		for i := range c.headers {
			if h := c.Headers[i]; !c.headers[i].in(req.Fields) {
				if h[1] == "" {
					return "there is no header " + h[0]
				}
				return fmt.Sprintf("no header %s is %q", h[0], h[1])
			}
		}
	}
	return ""
}

func networkList(all []netip.Prefix) string {
	words := make([]string, len(all))
	for i, p := range all {
		words[i] = p.String()
	}
	return strings.Join(words, " or ")
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(quoted, " or ")
}

// refused says why a path is refused, which s holds in its literal form.
func (t *Table) refused(r *Request, s *Scratch) string {
	_, odd, dots := literal(nil, r.Path)
	if dots && s.dotted(odd) {
		return "the path holds a dot segment, for some servers at least: clients resolve these before they ask"
	}
	plain := t.first(r, s.host, s.literal)
	for how := oddity(1); how < oddities; how++ {
		if how&^odd != 0 {
			continue
		}
		s.reading, s.other = read(s.reading[:0], s.other, s.literal, how)
		if i := t.first(r, s.host, s.reading); i != plain {
			return fmt.Sprintf("the path can be read as %q, which meets %s, and as %q, which meets %s", s.literal, t.called(plain), s.reading, t.called(i))
		}
	}
	return ""
}

func (t *Table) called(i int) string {
	if i < 0 {
		return "no rule"
	}
	return "rule " + t.rules[i].Name
}
