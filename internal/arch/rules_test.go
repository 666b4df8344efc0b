package arch

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// ownership says which files alone may import a library, tests included.
var ownership = []struct {
	library string   // and all packages below it
	owners  []string // folders, or single files
	why     string
}{
	{"github.com/vishvananda/netlink", []string{"vip/link_linux.go", "vip/hosts_linux.go", "vip/*_test.go", "internal/demo/*_test.go", "internal/handover/*_test.go", "internal/lab"}, "its errnos and global handle are wrapped once; tests of the kernel look for themselves"},
	{"github.com/vishvananda/netns", []string{"internal/lab", "vip/*_test.go", "internal/demo/*_test.go"}, "only the lab enters namespaces"},
	{"github.com/mdlayher/arp", []string{"vip"}, "one place writes ARP"},
	{"github.com/mdlayher/ndp", []string{"vip"}, "one place writes NDP"},
	{"github.com/hashicorp/memberlist", []string{"membership"}, "wrapped once"},
	{"github.com/spf13/cobra", []string{"cmd/tandem"}, "flags are the command line's business"},
	{"github.com/spf13/pflag", []string{"cmd/tandem"}, "flags are the command line's business"},
	{"github.com/pelletier/go-toml", []string{"internal/config"}, "one place reads files"},
	{"github.com/prometheus", []string{"internal/metrics"}, "one place counts for Prometheus, in a registry of its own"},
	{"github.com/mdlayher/sdnotify", []string{"internal/keeper", "internal/agent", "cmd/tandem"}, "only what systemd starts talks to it"},
}

func TestLibrariesAreWrappedOnce(t *testing.T) {
	for _, f := range tree(t) {
		for imported := range f.imports {
			for _, o := range ownership {
				if under(imported, o.library) && !owns(o.owners, f) {
					t.Errorf("%s imports %s, which is for %s: %s", f.path, imported, strings.Join(o.owners, ", "), o.why)
				}
			}
		}
	}
}

func owns(owners []string, f *file) bool {
	return slices.ContainsFunc(owners, func(o string) bool {
		match, err := path.Match(o, f.path)
		return err == nil && match || under(f.dir, o)
	})
}

// In election these would make the same input give different outputs, or let
// it act by itself.
var impure = map[string]string{
	"context":      "nothing in it can be cancelled: a step returns at once",
	"crypto/rand":  "chance comes in as a value",
	"log":          "it returns Changed, the shell logs it",
	"log/slog":     "it returns Changed, the shell logs it",
	"math/rand":    "chance comes in as a value",
	"math/rand/v2": "chance comes in as a value",
	"net":          "it has no sockets; addresses are net/netip",
	"os":           "it has no files and no environment",
	"sync":         "one goroutine of the shell owns the machine",
	"sync/atomic":  "one goroutine of the shell owns the machine",
	"syscall":      "it makes no system calls",
	"unsafe":       "it has no need",
}

func TestElectionIsPure(t *testing.T) {
	for _, f := range tree(t) {
		if f.test || !under(f.dir, "election") {
			continue
		}
		for imported := range f.imports {
			if _, mine := ours(imported); !mine && !standard(imported) {
				t.Errorf("%s imports %s: election stands on the standard library alone", f.path, imported)
			}
			if why := impure[imported]; why != "" {
				t.Errorf("%s imports %s: %s", f.path, imported, why)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
				t.Errorf("%s: election starts no goroutine and has no channel", f.at(n))
			}
			return true
		})
	}
}

// clock is what package time does, as against what it says.
var clock = []string{"Now", "Sleep", "After", "NewTimer", "Tick", "Since", "Until", "AfterFunc", "NewTicker"}

// pure are the folders and files that are told the time.
var pure = []string{"election", "vip/schedule.go", "lbcore/health.go", "lbcore/retrybudget.go", "lbcore/retry.go", "lbcore/internal/http1", "lbcore/internal/limit", "lbcore/route"}

func TestPureCodeIsToldTheTime(t *testing.T) {
	for _, f := range tree(t) {
		if f.test || !owns(pure, f) {
			continue
		}
		for _, use := range clockUses(f) {
			t.Errorf("%s: the time comes in as a value", use)
		}
	}
}

// clockUses returns where a file reads or starts a clock.
func clockUses(f *file) []string {
	name, imported := f.imports["time"]
	if !imported {
		return nil
	}
	var uses []string
	if name == "." {
		uses = append(uses, f.path+": imports time by a dot")
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name && slices.Contains(clock, s.Sel.Name) {
				uses = append(uses, f.at(n)+": time."+s.Sel.Name)
			}
		}
		return true
	})
	return uses
}

func TestAClockIsFoundUnderAnyName(t *testing.T) {
	for source, want := range map[string]int{
		"package p\nimport \"time\"\nvar a, b = time.Now(), time.Second": 1,
		"package p\nimport t \"time\"\nvar a, b = t.Now, t.Since":        2,
		"package p\nimport . \"time\"\nvar a = Now()":                    1,
		"package p\nimport \"time\"\nfunc f(t time.Time) { t.After(t) }": 0,
		"package p\nvar time struct{ Now int }\nvar a = time.Now":        0,
	} {
		f, err := parseFile("p.go", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		if got := clockUses(f); len(got) != want {
			t.Errorf("%q: %v, want %d", source, got, want)
		}
	}
}

// Checks are not on it: they are few, and what a well-kept library reads in an answer nobody forwards.
func TestNoNetHTTPOnTheDataPath(t *testing.T) {
	for _, f := range tree(t) {
		if _, found := f.imports["net/http"]; found && !f.test && under(f.dir, "lbcore") && !under(f.dir, "lbcore/check") {
			t.Errorf("%s imports net/http, which costs 2.7 times HAProxy's CPU per request", f.path)
		}
	}
}

func TestEachPackageSaysWhatItIs(t *testing.T) {
	said, packages := map[string]bool{}, map[string]*file{}
	for _, f := range tree(t) {
		if f.external() {
			continue
		}
		packages[f.dir] = f
		if doc := f.syntax.Doc; doc != nil && len(strings.Fields(doc.Text())) >= 5 {
			said[f.dir] = true
		}
	}
	for dir, f := range packages {
		if !said[dir] {
			t.Errorf("%s has no package comment; begin one with %q", dir, "// Package "+f.pkg+" …")
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	const most = 420 // about 400 are what a reader can hold
	for _, f := range tree(t) {
		if f.lines > most {
			t.Errorf("%s has %d lines: split it by concern", f.path, f.lines)
		}
	}
}
