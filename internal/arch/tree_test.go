package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/tandem-lb/tandem"

// root is the top of the repository, seen from this package.
const root = "../.."

// file is one Go file of the module.
type file struct {
	path    string // from the root, with slashes
	dir     string // its package, from the root
	pkg     string // the package clause
	test    bool
	imports map[string]string // import path → the name it has in the file
	lines   int
	syntax  *ast.File
	fset    *token.FileSet
}

// external tells whether the file belongs to an external test package.
func (f *file) external() bool { return f.test && strings.HasSuffix(f.pkg, "_test") }

// at returns the place of a node as path:line.
func (f *file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

var readTree = sync.OnceValues(func() ([]*file, error) {
	var files []*file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || strings.HasPrefix(base, "_") || name != root && strings.HasPrefix(base, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := readFile(name)
		files = append(files, f)
		return err
	})
	return files, err
})

func readFile(name string) (*file, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseFile(filepath.ToSlash(rel), data)
}

// parseFile reads one file; name is its path from the root.
func parseFile(rel string, data []byte) (*file, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, rel, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{
		path: rel, dir: path.Dir(rel), pkg: syntax.Name.Name, test: strings.HasSuffix(rel, "_test.go"),
		imports: map[string]string{}, lines: strings.Count(string(data), "\n"), syntax: syntax, fset: fset,
	}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		f.imports[imported] = path.Base(imported)
		if spec.Name != nil {
			f.imports[imported] = spec.Name.Name
		}
	}
	return f, nil
}

// tree returns all Go files of the module.
func tree(t *testing.T) []*file {
	t.Helper()
	files, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d files were found: is the root elsewhere?", len(files))
	}
	return files
}

// standard tells whether an import path belongs to the standard library.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// ours returns an import path from the root, if it is one of this module.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// under tells whether a folder is another one or lies in it.
func under(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}
