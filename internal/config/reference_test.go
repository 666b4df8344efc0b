package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	testKeys = map[string]string{
		"sorry.html":   "<h1>Sorry</h1>\n",
		"gossip.key":   "MDEyMzQ1Njc4OWFiY2RlZg==\n",
		"admin.token":  "YWRtaW5hZG1pbmFkbWluMQ==\n",
		"balancer.key": "# new one first\nZmVkY2JhOTg3NjU0MzIxMA==\n\nYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n",
	}
	// neededByOthers cannot be left out of the reference as it stands there.
	neededByOthers = map[string]bool{"cookie": true, "http": true, "tls": true, "pool": true, "certificates": true, "client_ca_file": true, "file": true, "path_prefix": true, "path_regex": true, "redirect": true, "body": true}
	compare        = cmp.Options{cmpopts.IgnoreUnexported(Config{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
)

func readTestKey(name string) ([]byte, error) {
	if data, ok := testKeys[name]; ok {
		return []byte(data), nil
	}
	if data, ok := testCertificates()[name]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("no key file %q in this test", name)
}

// documented is one key as the reference explains it.
type documented struct {
	header, name string
	line         string // name = value
	comment      string // the comment above, as one line
	above, below string // the file without the line
}

var keyLine = regexp.MustCompile(`^([a-z_][a-z0-9_]*) = `)

// reference is a file that explains each key of a kind of file.
type reference struct {
	file, text string
	root       reflect.Type
	parse      func(name string, data []byte) (any, error)
}

var references = []reference{
	{"reference.toml", Reference, reflect.TypeFor[rawConfig](), func(name string, data []byte) (any, error) {
		return Parse(name, data, readTestKey)
	}},
	{"agent-reference.toml", AgentReference, reflect.TypeFor[rawAgent](), func(name string, data []byte) (any, error) {
		return ParseAgent(name, data, readTestKey)
	}},
}

// eachReference runs a test for each of them.
func eachReference(t *testing.T, test func(*testing.T, reference)) {
	for _, r := range references {
		t.Run(r.file, func(t *testing.T) { test(t, r) })
	}
}

// documentedKeys cuts the reference into its keys. What stands there again, for another example, is told once.
func (r reference) documentedKeys() []documented {
	var keys []documented
	var comment []string
	header := ""
	seen := map[string]bool{}
	lines := strings.SplitAfter(r.text, "\n")
	for i, line := range lines {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(text, "#"):
			comment = append(comment, strings.TrimSpace(strings.TrimPrefix(text, "#")))
			continue
		case strings.HasPrefix(text, "["):
			header = strings.NewReplacer("pool.web", "pool.NAME", "pool.cache", "pool.NAME", "pool.rpc", "pool.NAME", "pool.redis", "pool.NAME", "node.lb1", "node.NAME", "track.uplink", "track.NAME", "process.shop", "process.NAME", "process.forwarder", "process.NAME").Replace(text)
		case keyLine.MatchString(text):
			name := keyLine.FindStringSubmatch(text)[1]
			if !seen[header+name] {
				keys = append(keys, documented{
					header: header, name: name, line: text,
					comment: strings.Join(comment, " "),
					above:   strings.Join(lines[:i], ""), below: strings.Join(lines[i+1:], ""),
				})
			}
			seen[header+name] = true
		}
		comment = nil
	}
	return keys
}

func (r reference) mustParse(t *testing.T, text string) any {
	t.Helper()
	cfg, err := r.parse(r.file, []byte(text))
	if err != nil {
		t.Fatalf("the reference does not parse:\n%v", err)
	}
	return cfg
}

func TestTheReferenceParses(t *testing.T) {
	eachReference(t, func(t *testing.T, r reference) { r.mustParse(t, r.text) })
}

func TestTheReferenceHoldsExactlyTheKeysOfTheRawTypes(t *testing.T) {
	eachReference(t, func(t *testing.T, r reference) {
		inFile, inTypes := map[string]bool{}, map[string]bool{}
		for _, k := range r.documentedKeys() {
			inFile[k.header+" "+k.name] = true
		}
		for _, k := range schema(r.root) {
			inTypes[k.header+" "+k.name] = true
		}
		if diff := cmp.Diff(inTypes, inFile); diff != "" {
			t.Errorf("- only in the raw types, + only in the reference:\n%s", diff)
		}
	})
}

var (
	literalDefault = regexp.MustCompile(`Default: ("[^"]*"|[0-9]+|true|false)[.,]`)
	otherDefault   = regexp.MustCompile(`Default: [a-z]`)
	bounds         = regexp.MustCompile(`Bounds: (\S+) to (\S+?)\.`)
	atMost         = regexp.MustCompile(`At most ([0-9]+)\.`)
)

func TestTheReferenceTellsDefaultBoundsAndNeedOfEachKey(t *testing.T) {
	eachReference(t, func(t *testing.T, r reference) {
		tags := map[string]schemaKey{}
		for _, k := range schema(r.root) {
			tags[k.header+" "+k.name] = k
		}
		for _, doc := range r.documentedKeys() {
			t.Run(doc.header+doc.name, func(t *testing.T) {
				tag := tags[doc.header+" "+doc.name].tag
				if need := strings.Contains(doc.comment, "Required."); need != (tag.Get("need") != "") {
					t.Errorf("the comment says required: %v", need)
				}
				literal := literalDefault.FindStringSubmatch(doc.comment)
				def, has := tag.Lookup("default")
				switch {
				case has && literal == nil:
					t.Errorf("the default %s is not told", def)
				case has && strings.Trim(literal[1], `"`) != def:
					t.Errorf("the comment says %s, the type %s", literal[1], def)
				case !has && literal != nil:
					t.Errorf("the comment says %s, the type has no default", literal[1])
				case !has && tag.Get("need") == "" && !otherDefault.MatchString(doc.comment):
					t.Error("the comment does not say what happens without the key")
				}
				if low, high := tag.Get("min"), tag.Get("max"); low != "" {
					if m := bounds.FindStringSubmatch(doc.comment); m == nil || m[1] != low || m[2] != high {
						t.Errorf("the comment says %q, the type %s to %s", m, low, high)
					}
				} else if high != "" {
					if m := atMost.FindStringSubmatch(doc.comment); m == nil || m[1] != high {
						t.Errorf("the comment says %q, the type at most %s", m, high)
					}
				}
			})
		}
	})
}

func TestADocumentedDefaultIsTheDefault(t *testing.T) {
	eachReference(t, func(t *testing.T, r reference) {
		for _, doc := range r.documentedKeys() {
			literal := literalDefault.FindStringSubmatch(doc.comment)
			if literal == nil {
				continue
			}
			t.Run(doc.header+doc.name, func(t *testing.T) {
				with := r.mustParse(t, doc.above+doc.name+" = "+literal[1]+"\n"+doc.below)
				without := r.mustParse(t, doc.above+"\n"+doc.below)
				if diff := cmp.Diff(with, without, compare); diff != "" {
					t.Errorf("- with the documented default written down, + with the key left out:\n%s", diff)
				}
			})
		}
	})
}

func TestAnOptionalKeyMayBeLeftOut(t *testing.T) {
	eachReference(t, func(t *testing.T, r reference) {
		for _, doc := range r.documentedKeys() {
			if strings.Contains(doc.comment, "Required.") || neededByOthers[doc.name] || doc.header == "[process.NAME.ready]" ||
				doc.name == "cert_file" || doc.name == "key_file" || doc.header == "[syslog]" && doc.name == "to" { // others beside it need it
				continue
			}
			r.mustParse(t, doc.above+"\n"+doc.below)
		}
	})
}

func TestBoundsAreInclusiveAndKept(t *testing.T) {
	eachReference(t, func(t *testing.T, r reference) {
		for _, doc := range r.documentedKeys() {
			m := bounds.FindStringSubmatch(doc.comment)
			if m == nil || doc.name == "status" {
				continue
			}
			t.Run(doc.header+doc.name, func(t *testing.T) {
				quote := func(v string) string {
					if strings.ContainsAny(v, "smh") {
						return `"` + v + `"`
					}
					return v
				}
				beyond := func(v string, sign string) string {
					if strings.ContainsAny(v, "smh") {
						return map[string]string{"-": `"-1s"`, "+": `"1000h"`}[sign]
					}
					return map[string]string{"-": "-1", "+": "1000000000000000"}[sign]
				}
				for value, good := range map[string]bool{
					quote(m[1]): true, quote(m[2]): true, beyond(m[1], "-"): false, beyond(m[2], "+"): false,
				} {
					_, err := r.parse(r.file, []byte(doc.above+doc.name+" = "+value+"\n"+doc.below))
					if (err == nil) != good {
						t.Errorf("%s = %s: %v", doc.name, value, err)
					}
				}
			})
		}
	})
}
