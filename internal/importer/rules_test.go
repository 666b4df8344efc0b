package importer

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/lbcore/route"
)

// asked is a request of the tests below.
type asked struct{ src, method, path, host string }

// acls are those that random sections use, and what HAProxy takes them for.
var acls = []struct {
	text string
	fits func(r asked) bool
}{
	{"src 10.0.0.0/8 192.0.2.7", func(r asked) bool { return strings.HasPrefix(r.src, "10.") || r.src == "192.0.2.7" }},
	{"src 10.1.0.0/16 2001:db8::/32", func(r asked) bool {
		return strings.HasPrefix(r.src, "10.1.") || strings.HasPrefix(r.src, "2001:db8:")
	}},
	{"path_beg /api", func(r asked) bool { return strings.HasPrefix(r.path, "/api") }},
	{"path_beg /api/admin /api/v2", func(r asked) bool {
		return strings.HasPrefix(r.path, "/api/admin") || strings.HasPrefix(r.path, "/api/v2")
	}},
	{"path /api/admin /login", func(r asked) bool { return r.path == "/api/admin" || r.path == "/login" }},
	{"path_end -i .PHP", func(r asked) bool { return strings.HasSuffix(strings.ToLower(r.path), ".php") }},
	{"method POST PUT", func(r asked) bool { return r.method == "POST" || r.method == "PUT" }},
	{"hdr(host) -i a.example", func(r asked) bool { return r.host == "a.example" }},
	{"always_true", func(asked) bool { return true }},
	{"ssl_fc", func(asked) bool { return false }},
}

// requests are all that the tests ask.
func requests() (all []asked) {
	for _, src := range []string{"10.0.0.1", "10.1.0.1", "192.0.2.7", "192.0.2.8", "2001:db8::1", "::1"} {
		for _, method := range []string{"GET", "POST"} {
			for _, path := range []string{"/", "/api", "/apix", "/api/admin", "/api/admin/x.php", "/api/v2", "/login", "/x.PHP"} {
				for _, host := range []string{"a.example", "b.example"} {
					all = append(all, asked{src, method, path, host})
				}
			}
		}
	}
	return all
}

// ruleLine is a random line and what it does.
type ruleLine struct {
	list, does string // "http-request" or "use_backend"; allow, deny, redirect or a pool
	unless     bool
	or         [][]int // indexes of acls, all of which must hold; negative ones (-1-i) must not
}

func (l ruleLine) fits(r asked) bool {
	any := slices.ContainsFunc(l.or, func(and []int) bool {
		return !slices.ContainsFunc(and, func(i int) bool {
			if i < 0 {
				return acls[-1-i].fits(r)
			}
			return !acls[i].fits(r)
		})
	})
	return len(l.or) == 0 || any != l.unless
}

func (l ruleLine) String() string {
	s := l.list + " " + l.does
	if l.does == "redirect" {
		s = "http-request redirect location /elsewhere"
	}
	var or []string
	for _, and := range l.or {
		var words []string
		for _, i := range and {
			if i < 0 {
				words = append(words, fmt.Sprintf("!a%d", -1-i))
			} else if i%2 == 0 {
				words = append(words, "{ "+acls[i].text+" }")
			} else {
				words = append(words, fmt.Sprintf("a%d", i))
			}
		}
		or = append(or, strings.Join(words, " "))
	}
	switch {
	case len(or) == 0:
		return s
	case l.unless:
		return s + " unless " + strings.Join(or, " or ")
	}
	return s + " if " + strings.Join(or, " || ")
}

func randomLine(rng *rand.Rand) (l ruleLine) {
	l.list, l.does = "http-request", []string{"deny", "deny", "deny", "allow", "allow", "redirect"}[rng.IntN(6)]
	if rng.IntN(3) == 0 {
		l.list, l.does = "use_backend", []string{"p1", "p2"}[rng.IntN(2)]
	}
	l.unless = rng.IntN(4) == 0
	if rng.IntN(10) == 0 {
		return l
	}
	for range 1 + rng.IntN(2) {
		var and []int
		for range 1 + rng.IntN(2) {
			i := rng.IntN(len(acls))
			if rng.IntN(3) == 0 {
				i = -1 - i
			}
			and = append(and, i)
		}
		l.or = append(l.or, and)
	}
	return l
}

// becomes is what HAProxy does with a request: http-request first, then use_backend.
func becomes(lines []ruleLine, r asked) string {
	for _, list := range []string{"http-request", "use_backend"} {
		for _, l := range lines {
			if l.list != list || !l.fits(r) {
				continue
			}
			if l.does == "allow" {
				break
			}
			return l.does
		}
	}
	return "p0"
}

// served is what a frontend of ours does with it.
func served(t *testing.T, f config.Frontend, table *route.Table, r asked) string {
	t.Helper()
	src := netip.MustParseAddr(r.src)
	in := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(src) })
	}
	if in(f.Sources.Deny) || len(f.Sources.Allow) > 0 && !in(f.Sources.Allow) {
		return "deny"
	}
	i, ok := table.Match(&route.Request{Method: []byte(r.method), Host: []byte(r.host), Path: []byte(r.path), Source: src, Fields: noFields{}}, new(route.Scratch))
	switch {
	case !ok:
		t.Fatalf("%+v is refused as ambiguous", r)
	case i < 0:
		return f.Pool
	}
	switch rule := table.Rule(i); {
	case rule.Redirect != "":
		return "redirect"
	case rule.Status >= 400:
		return "deny"
	case rule.Pool != "":
		return rule.Pool
	}
	return f.Pool
}

type noFields struct{}

func (noFields) NumFields() int                 { return 0 }
func (noFields) Field(int) (name, value []byte) { return nil, nil }

// Whatever the lines say, a request becomes of HAProxy's configuration what becomes of it by ours; lines that could not be
// taken over are as if they were not there, but for what is refused behind an allow.
func TestRulesDecideAsHAProxysLinesDo(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	whole, all := 0, requests()
	const rounds = 200
	for range rounds {
		var lines []ruleLine
		var b strings.Builder
		b.WriteString("defaults\n mode http\nfrontend f\n bind :80\n default_backend p0\n")
		for i, a := range acls {
			fmt.Fprintf(&b, " acl a%d %s\n", i, a.text)
		}
		first := strings.Count(b.String(), "\n") + 1
		for range 1 + rng.IntN(5) {
			lines = append(lines, randomLine(rng))
			b.WriteString(" " + lines[len(lines)-1].String() + "\n")
		}
		b.WriteString("backend p0\n server s 10.0.0.9:80\nbackend p1\n server s 10.0.0.9:81\nbackend p2\n server s 10.0.0.9:82\n")
		r, err := Import([]Source{{"x", []byte(b.String())}}, "", noFile)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Parse("x", []byte(r.TOML), noFile)
		if err != nil {
			t.Fatal(err)
		}
		var taken []ruleLine
		for i, l := range lines {
			k := slices.IndexFunc(r.Report, func(it Item) bool { return it.Line == first+i })
			if r.Report[k].Became != Left {
				taken = append(taken, l)
			}
		}
		if len(taken) == len(lines) {
			whole++
		}
		table, err := route.Compile(cfg.Frontends[0].Rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range all {
			if want, got := becomes(taken, q), served(t, cfg.Frontends[0], table, q); got != want && !(want == "redirect" && got == "deny") {
				t.Fatalf("seed %d: %+v: %s, and here %s, of\n%s\n%s\n%s", seed, q, want, got, b.String(), r.TOML, written(r))
			}
		}
	}
	if whole < rounds/2 {
		t.Errorf("seed %d: of %d sections %d were taken over whole", seed, rounds, whole)
	}
	t.Logf("seed %d: %d of %d sections were taken over whole", seed, whole, rounds)
}
