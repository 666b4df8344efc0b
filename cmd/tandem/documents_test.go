package main

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/guide"
)

const repository = "../.."

func documents(t *testing.T) []guide.Document {
	t.Helper()
	files, err := guide.Files(repository)
	if err != nil {
		t.Fatal(err)
	}
	var docs []guide.Document
	for _, f := range files {
		d, err := guide.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	return docs
}

// A spoken is a command line that stands somewhere in the documents.
type spoken struct {
	at    string
	words []string
	whole bool // it stands in a block, to be typed as it is; else it is only named
}

// commandsOf returns every command line of a document, of whatever program.
func commandsOf(d guide.Document) (all []spoken) {
	for _, b := range d.Blocks {
		if b.TOML() {
			continue
		}
		for i := 0; i < len(b.Lines); i++ {
			at, line := b.At(i), b.Lines[i]
			for strings.HasSuffix(line, `\`) && i+1 < len(b.Lines) {
				i++
				line = strings.TrimSuffix(line, `\`) + b.Lines[i]
			}
			for _, w := range guide.Words(line) {
				all = append(all, spoken{at, w, true})
			}
		}
	}
	for _, c := range d.Code {
		for _, w := range guide.Words(c.Text) {
			all = append(all, spoken{c.At(), w, false})
		}
	}
	return all
}

func TestEveryTandemCommandInTheDocumentsExists(t *testing.T) {
	n := 0
	for _, d := range documents(t) {
		for _, s := range commandsOf(d) {
			if s.words[0] != "tandem" || len(s.words) < 2 || !regexp.MustCompile(`^[a-z-]`).MatchString(s.words[1]) {
				continue
			}
			n++
			if err := understood(s.words[1:], s.whole); err != nil {
				t.Errorf("%s: %q: %v", s.at, strings.Join(s.words, " "), err)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d commands were found", n)
	}
}

// understood tells whether the command line would get as far as a command's own code; what is
// only named may lack arguments.
func understood(args []string, whole bool) error {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpFlag()
	root.InitDefaultVersionFlag()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	c.InitDefaultHelpFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if c == root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return usage("there is no command %q", rest[0])
	}
	if !whole {
		return nil
	}
	if !c.Runnable() {
		return usage("it asks for one of its own commands")
	}
	if given := c.Flags().Args(); c.Args != nil {
		return c.Args(c, given)
	}
	return nil
}

var repositoryPath = regexp.MustCompile(`^(\./)?(cmd|deploy|election|internal|lbcore|membership|vip|\.ci|\.github)(/[\w.*+-]+)*/?$`)

func TestEveryPathInTheDocumentsExists(t *testing.T) {
	n := 0
	for _, d := range documents(t) {
		made := map[string]bool{} // by a command of the document
		for _, s := range commandsOf(d) {
			for i, w := range s.words {
				if i > 0 && s.words[i-1] == "-o" {
					made[w] = true
				}
				if w = strings.TrimRight(w, ".,:"); made[w] || !repositoryPath.MatchString(w) || w == "vip" || w == "deploy" || w == "election" || w == "membership" {
					continue
				}
				n++
				if found, err := filepath.Glob(filepath.Join(repository, strings.TrimSuffix(w, "/..."))); err != nil || len(found) == 0 {
					t.Errorf("%s: there is no %s in the repository", s.at, w)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d paths were found", n)
	}
}

func TestEveryLinkInTheDocumentsLeadsSomewhere(t *testing.T) {
	all := documents(t)
	for _, d := range all {
		for _, l := range d.Links {
			u, err := url.Parse(l.Text)
			if err != nil || u.IsAbs() && u.Scheme != "https" {
				t.Errorf("%s: %q is no link: %v", l.At(), l.Text, err)
				continue
			}
			if u.IsAbs() {
				continue // whether it is there is not for a test that has no network
			}
			target := filepath.Join(filepath.Dir(d.File), u.Path)
			if u.Path == "" {
				target = d.File
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %q leads nowhere", l.At(), l.Text)
				continue
			}
			if u.Fragment == "" {
				continue
			}
			to, err := guide.Read(target)
			if err != nil || !slices.ContainsFunc(to.Headings, func(h string) bool { return guide.Anchor(h) == u.Fragment }) {
				t.Errorf("%s: %q: there is no such heading, %v", l.At(), l.Text, err)
			}
		}
	}
}

var testFlag = regexp.MustCompile(`^\^?\(?(Test|Benchmark|Fuzz)\w*`)

// A go command names a package, and perhaps a test of it.
func TestEveryGoCommandInTheDocumentsHasItsPackage(t *testing.T) {
	for _, d := range documents(t) {
		for _, s := range commandsOf(d) {
			if len(s.words) < 3 || s.words[0] != "go" || s.words[1] != "test" && s.words[1] != "run" && s.words[1] != "build" {
				continue
			}
			var dir string
			for i, w := range s.words {
				if strings.HasPrefix(w, "./") {
					dir = filepath.Join(repository, strings.TrimSuffix(w, "/..."))
					if found, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(found) == 0 && !strings.HasSuffix(w, "/...") {
						t.Errorf("%s: %s is no package", s.at, w)
					}
				}
				if w == "-run" && i+1 < len(s.words) {
					for _, name := range strings.Split(s.words[i+1], "|") {
						hasTest(t, s.at, dir, name)
					}
				}
			}
		}
	}
}

func hasTest(t *testing.T, at, dir, pattern string) {
	t.Helper()
	if !testFlag.MatchString(pattern) {
		return
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	want := regexp.MustCompile(`func ` + strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$"))
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && want.Match(text) {
			return
		}
	}
	t.Errorf("%s: there is no test %s in %s", at, pattern, dir)
}

// What needs no balancer and changes nothing outside of its folder is run as it stands. In
// place of the system's files there are these.
var standIns = map[string]string{
	"/etc/tandem/tandem.toml":         "deploy/examples/small.toml",
	"/etc/haproxy/haproxy.cfg":        "internal/importer/testdata/roundrobin.cfg",
	"/etc/keepalived/keepalived.conf": "internal/importer/testdata/vip.conf",
	"keepalived.conf":                 "internal/importer/testdata/vip.conf",
	"deploy/examples/site.toml":       "deploy/examples/small.toml", // its keys are not here
}

func TestTheHarmlessCommandsInTheDocumentsRun(t *testing.T) {
	agent := filepath.Join(t.TempDir(), "agent.toml")
	if err := os.WriteFile(agent, []byte("[[app]]\npool = \"web\"\nport = 3000\n\n[cluster]\njoin = [\"192.168.42.42\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for _, d := range documents(t) {
		for _, s := range commandsOf(d) {
			if !s.whole || s.words[0] != "tandem" || len(s.words) < 2 || !slices.Contains([]string{"version", "keygen", "check", "import"}, s.words[1]) {
				continue
			}
			args := slices.Clone(s.words[1:])
			for i, a := range args {
				if in, ok := standIns[a]; ok {
					args[i] = filepath.Join(root, in)
				}
				if a == "/etc/tandem/agent.toml" {
					args[i] = agent
				}
			}
			t.Chdir(t.TempDir())
			var out, errs bytes.Buffer
			if code := execute(args, &out, &errs); code != exitDone {
				t.Errorf("%s: %q ended with %d: %s", s.at, strings.Join(s.words, " "), code, errs.String())
			}
			ran[s.words[1]]++
		}
	}
	if ran["check"] < 2 || ran["import"] < 2 || ran["keygen"] < 1 {
		t.Errorf("too few were run: %v", ran)
	}
}

func TestTheShellScriptsInTheDocumentsAreShell(t *testing.T) {
	for _, d := range documents(t) {
		for _, b := range d.Blocks {
			if b.TOML() || !strings.Contains(b.Text(), "<<") {
				continue
			}
			if out, err := exec.Command("bash", "-n", "-c", b.Text()).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", b.At(0), err, out)
			}
		}
	}
}
