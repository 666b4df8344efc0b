package route

import (
	"bytes"
	"net/url"
	"path"
	"strings"
	"testing"
)

// Servers, as they read paths: written once more, and in another way than in path.go.
var servers = map[string]func(string) string{
	"net/url":       func(p string) string { return once(p) },
	"clean":         func(p string) string { return clean(once(p)) },
	"merging":       func(p string) string { return merged(once(p)) },
	"servlet":       func(p string) string { return clean(once(stripped(p))) },
	"servlet, late": func(p string) string { return clean(stripped(once(p))) },
	"stripping":     func(p string) string { return once(stripped(p)) },
	"IIS":           func(p string) string { return clean(strings.ReplaceAll(once(p), `\`, "/")) },
	"twice":         func(p string) string { return clean(once(once(p))) },
	"kept slash": func(p string) string {
		return clean(once(strings.NewReplacer("%2F", "%252F", "%2f", "%252F").Replace(p)))
	},
	"kept slash, stripped": func(p string) string {
		return stripped(once(strings.NewReplacer("%2F", "%252F", "%2f", "%252F").Replace(p)))
	},
}

// clean resolves dot segments and merges slashes; a slash at the end is no spelling, but another path.
func clean(p string) string {
	if c := path.Clean(p); c != "/" && strings.HasSuffix(p, "/") {
		return c + "/"
	} else {
		return c
	}
}

func once(p string) string {
	if d, err := url.PathUnescape(p); err == nil {
		return d
	}
	return p
}

func merged(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

func stripped(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// plainly is the first rule of the fuzzed table that fits what a server makes of a path.
func plainly(p string) string {
	below := func(prefix string) bool {
		return p == prefix || strings.HasPrefix(p, prefix+"/") || strings.HasPrefix(p, prefix+";")
	}
	switch {
	case below("/admin/secret"):
		return "secret"
	case p == "/login":
		return "login"
	case below("/admin"):
		return "admin"
	case strings.HasSuffix(p, ".php"):
		return "php"
	}
	return "rest"
}

// However a server reads the path, it meets the rule that Match says, or Match has refused.
func FuzzNoServerReadsAnotherRule(f *testing.F) {
	for _, p := range []string{
		"/", "/admin/x", "//admin", "/a/..;/admin", "/a%2F..%2Fadmin", "/%252e%252e/admin", `/\admin`, "/%5cadmin", "/admin;/secret", "/admin%3B/secret",
		"/admin/;%2Fsecret", "/login;x", "/x.php%00", "/x.php/", "/x.ph%70", "/a//login", "/admin//secret", "/admin/%2573ecret", "/.%2Fadmin",
	} {
		f.Add(p)
	}
	table, err := Compile([]Rule{
		{Name: "secret", Prefixes: []string{"/admin/secret"}},
		{Name: "login", Paths: []string{"/login"}},
		{Name: "admin", Prefixes: []string{"/admin"}},
		{Name: "php", Regex: `\.php$`},
		{Name: "rest"},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if !sendable(p) {
			return
		}
		got := met(table, asked("GET", "h", p))
		if got == "refused" {
			return
		}
		for name, reads := range servers {
			if want := plainly(reads(p)); want != got {
				t.Errorf("%q meets %s, but %s reads %q, which is for %s", p, got, name, reads(p), want)
			}
		}
	})
}

// sendable says that http1 lets the path through.
func sendable(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, `?#\`) || strings.Contains(p, "%00") {
		return false
	}
	for i := range len(p) {
		if p[i] <= ' ' || p[i] >= 0x7f || p[i] == '%' && (i+2 >= len(p) || !isHex(p[i+1]) || !isHex(p[i+2])) {
			return false
		}
	}
	return true
}

// A path that comes out is one that could have come in, and begins as the rule says.
func FuzzRewrittenPathsAreGood(f *testing.F) {
	f.Add("/api/a%2Fb;c//d", "/v2", "/x/$1")
	f.Add("/api", "/", "/$1$1")
	f.Add("/ap%69;x", "/", "/${1}")
	f.Fuzz(func(t *testing.T, p, prefix, expand string) {
		if !sendable(p) {
			return
		}
		for _, rule := range []Rule{
			{Name: "prefix", Prefixes: []string{"/api"}, ReplacePrefix: prefix, Redirect: "https://{host}{path}{query}"},
			{Name: "regex", Regex: "^/api(.*)$", Rewrite: expand, Redirect: "{path}"},
		} {
			table, err := Compile([]Rule{rule})
			if err != nil {
				continue
			}
			r := asked("GET", "h", p)
			var s Scratch
			i, ok := table.Match(r, &s)
			if i < 0 || !ok {
				continue
			}
			out, ok := table.AppendPath([]byte("x"), i, r, &s)
			if !ok {
				continue
			}
			sent := out[1:]
			if len(sent) == 0 || sent[0] != '/' || bytes.HasPrefix(sent, []byte("//")) || !visible(sent) || bytes.ContainsAny(sent, `#`) {
				t.Fatalf("%s makes %q of %q", rule.Name, sent, p)
			}
			if rest := strings.TrimPrefix(p, "/api"); rule.Name == "prefix" && rest != p && !strings.HasSuffix(string(sent), strings.TrimLeft(rest, "/")) {
				t.Fatalf("%q became %q: the rest has changed", p, sent)
			}
			if _, ok := table.Match(r, &s); !ok {
				t.Fatalf("%q was good before", p)
			}
			if at, ok := table.AppendLocation(nil, i, r, &s); ok && (!visible(at) || bytes.HasPrefix(at, []byte("//"))) {
				t.Fatalf("%s redirects %q to %q", rule.Name, p, at)
			}
		}
	})
}
