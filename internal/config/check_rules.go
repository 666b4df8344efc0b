package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-lb/tandem/lbcore/route"
)

// ruleName is what a rule is called: its place in the list, unless it has a name.
func ruleName(raw *rawRule, i int) string {
	if raw.Name.V != "" {
		return raw.Name.V
	}
	return strconv.Itoa(i + 1)
}

// rules checks [[frontend.rule]].
func (c *checker) rules(raw *rawFrontend, pools map[string]bool) (all []route.Rule) {
	names := map[string]place{}
	for i, rr := range raw.Rule {
		r := c.rule(rr)
		r.Name = ruleName(rr, i)
		at := rr.Key
		if rr.Name.Set {
			at = rr.Name.At
			c.name(rr.Name, "the rule's name")
		}
		once(c, names, r.Name, at, fmt.Sprintf("the rule %q", r.Name))
		if r.Pool != "" && !pools[r.Pool] && !c.partial {
			c.unknownPool(rr.Pool, slices.Sorted(maps.Keys(pools)))
		}
		if i+1 < len(raw.Rule) && fitsAll(&r) {
			c.add(rr.Key, fmt.Sprintf("rule %s is for every request, so that nothing meets those below it", r.Name), "put it last, or say which requests it is for")
		}
		all = append(all, r)
	}
	switch {
	case len(raw.Rule) == 0:
	case raw.Mode.V == "tcp":
		c.add(raw.Rule[0].Key, `rules are about HTTP, but the mode is "tcp"`, "leave them out; sni_pools routes by server name")
	case raw.Redirect.V == "https":
		c.add(raw.Redirect.At, "every request is redirected, so that nothing meets a rule", `write it as the last rule: redirect = "https://{host}{path}{query}"`)
	}
	return all
}

func fitsAll(r *route.Rule) bool {
	return len(r.Hosts)+len(r.Methods)+len(r.Paths)+len(r.Prefixes)+len(r.Headers)+len(r.Sources) == 0 && r.Regex == ""
}

func (c *checker) rule(raw *rawRule) route.Rule {
	r := route.Rule{
		Hosts: plainTexts(raw.Host), Methods: plainTexts(raw.Method), Paths: plainTexts(raw.Path), Prefixes: plainTexts(raw.PathPrefix),
		Regex: raw.PathRegex.V, Headers: headerLines(raw.Header), Sources: c.networks(raw.Source), Rate: c.rate(raw.SourceRate), BodyLimit: int64(raw.MaxBodyBytes.V),
		Pool: raw.Pool.V, Redirect: raw.Redirect.V, Status: raw.Status.V, Body: raw.Body.V,
		ReplacePrefix: raw.ReplacePrefix.V, Rewrite: raw.Rewrite.V,
		SetRequest: headerLines(raw.SetRequest), AddRequest: headerLines(raw.AddRequest), RemoveRequest: plainTexts(raw.RemoveRequest),
		SetResponse: headerLines(raw.SetResponse), AddResponse: headerLines(raw.AddResponse), RemoveResponse: plainTexts(raw.RemoveResponse),
	}
	if raw.Body.Set || raw.ContentType.Set {
		r.ContentType = raw.ContentType.V
	}
	places := map[string]any{
		"host": raw.Host, "method": raw.Method, "path": raw.Path, "path_prefix": raw.PathPrefix, "path_regex": raw.PathRegex, "header": raw.Header,
		"pool": raw.Pool, "redirect": raw.Redirect, "status": raw.Status, "body": raw.Body, "content_type": raw.ContentType,
		"replace_prefix": raw.ReplacePrefix, "rewrite": raw.Rewrite,
		"set_request_headers": raw.SetRequest, "add_request_headers": raw.AddRequest, "remove_request_headers": raw.RemoveRequest,
		"set_response_headers": raw.SetResponse, "add_response_headers": raw.AddResponse, "remove_response_headers": raw.RemoveResponse,
	}
	for _, p := range r.Problems() {
		at := raw.Key
		switch l := places[p.Key].(type) {
		case text:
			at = l.At
		case number:
			at = l.At
		case list:
			if at = l.At; p.Item < len(l.V) {
				at = l.V[p.Item].At
			}
		}
		c.add(at, p.Key+": "+p.Msg, p.Remedy)
	}
	return r
}

func plainTexts(l list) (all []string) {
	for _, t := range l.V {
		all = append(all, t.V)
	}
	return all
}

// headerLines cuts "Name: value"; what is no such line fails its check later.
func headerLines(l list) (all [][2]string) {
	for _, t := range l.V {
		name, value, _ := strings.Cut(t.V, ":")
		all = append(all, [2]string{name, strings.Trim(value, " \t")})
	}
	return all
}
