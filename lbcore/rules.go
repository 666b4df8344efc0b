package lbcore

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/internal/limit"
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
	rate     limit.Rate
	of       uint32 // what rate's buckets are known by
}

// ruleCount counts the requests that met a rule. It lives as long as the rule's name.
type ruleCount []ruleSlot

// ruleSlot is a loop's own part.
type ruleSlot struct {
	requests, limited atomic.Uint64
	_                 [48]byte // the next is another core's
}

// RuleSnapshot is one rule.
type RuleSnapshot struct {
	Name     string
	Requests uint64 // that met it, since it is there
	Limited  uint64 // of them, those that were more than its rate
}

// newRules makes the rules of a view; nil if there are none. was are those in effect.
func (f *frontend) newRules(c *FrontendConfig, pools map[string]*Pool, was *ruleset) *ruleset {
	if len(c.Rules) == 0 {
		return nil
	}
	table, err := route.Compile(c.Rules)
	if err != nil {
		panic(err) // it was checked
	}
	before := map[string]*act{}
	if was != nil {
		for i := range was.acts {
			before[was.acts[i].Name] = &was.acts[i]
		}
	}
	rs := &ruleset{table: table}
	for i := range table.Rules() {
		a := act{Rule: table.Rule(i), pool: pools[table.Rule(i).Pool], kind: table.Rule(i).ContentType, body: []byte(table.Rule(i).Body)}
		if a.kind == "" {
			a.kind = "text/plain; charset=utf-8"
		}
		a.request, a.response, a.host, _ = c.edits(a.Rule) // which were checked
		a.rate = limit.NewRate(a.Rate)
		if b := before[a.Name]; b != nil {
			a.count, a.of = b.count, b.of
		} else {
			n := make(ruleCount, len(f.slots))
			f.limits++
			a.count, a.of = &n, f.limits
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
			s.Limited += (*rs.acts[i].count)[k].limited.Load()
		}
		out = append(out, s)
	}
	return out
}
