package lbcore

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// MaxRuleFields bounds the lines that a rule sets, adds and removes in requests, and in
// answers together with those of its frontend.
const MaxRuleFields = http1.MaxSetFields

// ruleset is a frontend's rules, ready for use. It is immutable but for the counts.
type ruleset struct {
	table *route.Table
	acts  []act // by rule
}

// act is what a rule does, beside what its table knows.
type act struct {
	*route.Rule
	pool     *Pool         // nil: no such pool, or none is named
	request  *http1.Fields // changes of requests
	response *http1.Fields // and of answers, those of the frontend included
	host     []byte        // that backends are told; empty: the client's
	kind     string        // Content-Type of body
	body     []byte
	count    *ruleCount
}

// ruleCount counts the requests that met a rule. It lives as long as the rule's name.
type ruleCount []ruleSlot

// ruleSlot is a loop's own part.
type ruleSlot struct {
	requests atomic.Uint64
	_        [56]byte // the next is another core's
}

// RuleSnapshot is one rule.
type RuleSnapshot struct {
	Name     string
	Requests uint64 // that met it, since it is there
}

// newRules makes the rules of a view; nil if there are none. was are those in effect.
func (c *FrontendConfig) newRules(pools map[string]*Pool, was *ruleset, slots int) *ruleset {
	if len(c.Rules) == 0 {
		return nil
	}
	table, err := route.Compile(c.Rules)
	if err != nil {
		panic(err) // it was checked
	}
	counts := map[string]*ruleCount{}
	if was != nil {
		for i := range was.acts {
			counts[was.acts[i].Name] = was.acts[i].count
		}
	}
	rs := &ruleset{table: table}
	for i := range table.Rules() {
		a := act{Rule: table.Rule(i), pool: pools[table.Rule(i).Pool], kind: table.Rule(i).ContentType, body: []byte(table.Rule(i).Body)}
		if a.kind == "" {
			a.kind = "text/plain; charset=utf-8"
		}
		a.request, a.response, a.host, _ = c.edits(a.Rule) // which were checked
		if a.count = counts[a.Name]; a.count == nil {
			n := make(ruleCount, slots)
			a.count = &n
		}
		rs.acts = append(rs.acts, a)
	}
	return rs
}

// edits returns what a rule changes in heads.
func (c *FrontendConfig) edits(r *route.Rule) (request, response *http1.Fields, host []byte, err error) {
	e := http1.Edit{Add: r.AddRequest, Remove: r.RemoveRequest}
	for _, nv := range r.SetRequest {
		if strings.EqualFold(nv[0], "host") {
			host = []byte(nv[1])
			continue
		}
		e.Set = append(e.Set, nv)
	}
	if request, err = http1.NewEdit(e, true); err != nil {
		return nil, nil, nil, err
	}
	e = http1.Edit{Set: r.SetResponse, Add: r.AddResponse, Remove: r.RemoveResponse}
	for _, nv := range c.ResponseHeaders {
		own := func(o [2]string) bool { return strings.EqualFold(o[0], nv[0]) }
		removed := func(name string) bool { return strings.EqualFold(name, nv[0]) }
		if !slices.ContainsFunc(r.SetResponse, own) && !slices.ContainsFunc(r.RemoveResponse, removed) {
			e.Set = append([][2]string{nv}, e.Set...)
		}
	}
	response, err = http1.NewEdit(e, false)
	return request, response, host, err
}

func (c *FrontendConfig) checkRules(bad func(string, ...any)) {
	if len(c.Rules) == 0 {
		return
	}
	if c.Mode == ModeTCP || c.RedirectHTTPS != 0 {
		bad("rules are for requests that are served")
	}
	if _, err := route.Compile(c.Rules); err != nil {
		bad("%v", err)
		return
	}
	for i := range c.Rules {
		if _, _, _, err := c.edits(&c.Rules[i]); err != nil {
			bad("rule %q: %v", c.Rules[i].Name, err)
		}
	}
}

// snapshot counts what met each rule.
func (rs *ruleset) snapshot() (out []RuleSnapshot) {
	if rs == nil {
		return nil
	}
	for i := range rs.acts {
		s := RuleSnapshot{Name: rs.acts[i].Name}
		for k := range *rs.acts[i].count {
			s.Requests += (*rs.acts[i].count)[k].requests.Load()
		}
		out = append(out, s)
	}
	return out
}
