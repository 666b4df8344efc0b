package route

import (
	"fmt"
	"testing"
)

// asked makes a request of a line: METHOD host path, and headers.
func asked(method, host, target string, headers ...string) *Request {
	path, query := target, ""
	for i := range len(target) {
		if target[i] == '?' {
			path, query = target[:i], target[i:]
			break
		}
	}
	f := make(lines, 0, len(headers)/2)
	for i := 0; i < len(headers); i += 2 {
		f = append(f, [2]string{headers[i], headers[i+1]})
	}
	return &Request{Method: []byte(method), Host: []byte(host), Path: []byte(path), Query: []byte(query), Fields: f}
}

type lines [][2]string

func (l lines) NumFields() int { return len(l) }

func (l lines) Field(i int) (name, value []byte) { return []byte(l[i][0]), []byte(l[i][1]) }

func compile(t testing.TB, rules ...Rule) *Table {
	t.Helper()
	table, err := Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// met names the rule that a request meets: "" for none, "refused".
func met(table *Table, r *Request) string {
	var s Scratch
	switch i, ok := table.Match(r, &s); {
	case !ok:
		return "refused"
	case i < 0:
		return ""
	default:
		return table.Rule(i).Name
	}
}

func TestEachConditionFitsWhatItSays(t *testing.T) {
	for _, tc := range []struct {
		rule      Rule
		fits, not []*Request
	}{
		{
			Rule{Hosts: []string{"www.Example.com", "*.example.org"}},
			[]*Request{asked("GET", "WWW.example.com:8080", "/"), asked("GET", "www.example.com.", "/"), asked("GET", "a.example.org", "/")},
			[]*Request{asked("GET", "example.com", "/"), asked("GET", "example.org", "/"), asked("GET", "a.b.example.org", "/"), asked("GET", "", "/"), asked("GET", ".example.org", "/x")},
		},
		{
			Rule{Methods: []string{"GET", "HEAD"}},
			[]*Request{asked("GET", "x", "/"), asked("HEAD", "x", "/")},
			[]*Request{asked("POST", "x", "/"), asked("get", "x", "/")},
		},
		{
			Rule{Paths: []string{"/a", "/caf%C3%A9"}},
			[]*Request{asked("GET", "x", "/a?b=c"), asked("GET", "x", "/%61"), asked("GET", "x", "/café"), asked("GET", "x", "/caf%c3%a9")},
			[]*Request{asked("GET", "x", "/a/"), asked("GET", "x", "/A"), asked("GET", "x", "/"), asked("OPTIONS", "x", "*")},
		},
		{
			Rule{Prefixes: []string{"/api/"}},
			[]*Request{asked("GET", "x", "/api"), asked("GET", "x", "/api/"), asked("GET", "x", "/api/a%2Fb"), asked("GET", "x", "/ap%69/b"), asked("GET", "x", "/api;v=1")},
			[]*Request{asked("GET", "x", "/apix"), asked("GET", "x", "/"), asked("GET", "x", "/x/api")},
		},
		{
			Rule{Prefixes: []string{"/"}},
			[]*Request{asked("GET", "x", "/"), asked("GET", "x", "/a")},
			[]*Request{asked("OPTIONS", "x", "*")},
		},
		{
			Rule{Regex: `^/v[0-9]+/.*\.json$`},
			[]*Request{asked("GET", "x", "/v1/a.json"), asked("GET", "x", "/v1/a%0Ab.json")},
			[]*Request{asked("GET", "x", "/v/a.json"), asked("GET", "x", "/v1/a.json%0A"), asked("OPTIONS", "x", "*")},
		},
		{
			Rule{Headers: [][2]string{{"X-Debug", ""}, {"X-Beta", "yes"}}},
			[]*Request{asked("GET", "x", "/", "x-debug", "", "x-beta", "no", "X-Beta", "yes"), asked("GET", "x", "/", "X_Debug", "1", "x-beta", "yes")},
			[]*Request{asked("GET", "x", "/", "x-beta", "yes"), asked("GET", "x", "/", "x-debug", "1", "x-beta", "yes, no")},
		},
	} {
		tc.rule.Name = "it"
		table := compile(t, tc.rule)
		for _, r := range tc.fits {
			if got := met(table, r); got != "it" {
				t.Errorf("%+v: %s %s %s: %q", tc.rule, r.Method, r.Host, r.Path, got)
			}
		}
		for _, r := range tc.not {
			if got := met(table, r); got != "" {
				t.Errorf("%+v: %s %s %s: %q, want none", tc.rule, r.Method, r.Host, r.Path, got)
			}
		}
	}
}

func TestTheFirstRuleThatFitsDecides(t *testing.T) {
	table := compile(t, Rule{Name: "a", Paths: []string{"/x"}}, Rule{Name: "b", Prefixes: []string{"/x"}}, Rule{Name: "rest"})
	for path, want := range map[string]string{"/x": "a", "/x/y": "b", "/": "rest"} {
		if got := met(table, asked("GET", "h", path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// Each of these reaches /admin/ on some server that is in use.
func TestNoSpellingGetsRoundARule(t *testing.T) {
	table := compile(t, Rule{Name: "admin", Prefixes: []string{"/admin"}}, Rule{Name: "rest"})
	for _, path := range []string{
		"//admin/x", "/./admin/x", "/a/../admin/x", "/a/%2e%2e/admin/x", "/a/.%2E/admin", "/%2e/admin", "/a/..;/admin/x", "/a/..%3Bx/admin",
		"/a%2F..%2Fadmin/x", "/%2Fadmin/x", "/;x/admin", "/a/%252e%252e/admin", "/%5Cadmin", "/a/..%5C..%5Cadmin", "/%252Fadmin/x",
		"/.;%2Fadmin", "/a;%2F../admin", "//admin/..;/..",
	} {
		if got := met(table, asked("GET", "h", path)); got != "refused" {
			t.Errorf("%s: %q, want it refused", path, got)
		}
	}
	for path, want := range map[string]string{
		"/%61dmin/x": "admin", "/admin;x/y": "admin", "/admin%2Fx": "refused", "/ADMIN": "rest", "/a%2Fb": "rest", "/a//b": "rest", "/a;b/c": "rest",
		"/admin/a%2Fb": "admin", "/admin/a//b;c": "admin", "/a/...": "rest", "/a/.well-known": "rest", "/a%252Fb": "rest", "/x%25": "rest",
	} {
		if got := met(table, asked("GET", "h", path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	hosts := compile(t, Rule{Name: "h", Hosts: []string{"h"}})
	if got := met(hosts, asked("GET", "h", "/a/..//b")); got != "h" {
		t.Errorf("no rule looks at paths, but a path was refused: %q", got)
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	table := compile(t, Rule{Name: "re", Regex: "^/x[0-9]+$"}, Rule{Name: "h", Hosts: []string{"*.example.org"}, Headers: [][2]string{{"X-A", "b"}}}, Rule{Name: "rest"})
	var s Scratch
	for _, r := range []*Request{asked("GET", "www.example.com:80", "/a%2Fb;c//d%252F?x"), asked("GET", "a", "/x123")} {
		r.Fields = none{}
		if n := testing.AllocsPerRun(100, func() { table.Match(r, &s) }); n != 0 {
			t.Errorf("%v allocations for %s", n, r.Path)
		}
	}
}

type none struct{}

func (none) NumFields() int { return 0 }

func (none) Field(int) (name, value []byte) { return nil, nil }

// BenchmarkMatch is a request that meets the last of so many rules: of hosts, of prefixes, and of regular
// expressions.
func BenchmarkMatch(b *testing.B) {
	kinds := []struct {
		name string
		rule func(i int) Rule
	}{
		{"host", func(i int) Rule { return Rule{Hosts: []string{fmt.Sprintf("host%04d.example.com", i)}} }},
		{"prefix", func(i int) Rule { return Rule{Prefixes: []string{fmt.Sprintf("/service%04d/", i)}} }},
		{"regex", func(i int) Rule { return Rule{Regex: fmt.Sprintf("^/service%04d/v[0-9]+/", i)} }},
	}
	for _, kind := range kinds {
		for _, n := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				var rules []Rule
				for i := range n {
					r := kind.rule(i)
					r.Name = fmt.Sprint(i)
					rules = append(rules, r)
				}
				table := compile(b, rules...)
				r := asked("GET", fmt.Sprintf("host%04d.example.com", n-1), fmt.Sprintf("/service%04d/v1/items/42?page=3", n-1))
				r.Fields = none{}
				var s Scratch
				b.ReportAllocs()
				for b.Loop() {
					if i, ok := table.Match(r, &s); i != n-1 || !ok {
						b.Fatal(i, ok)
					}
				}
			})
		}
	}
}
