package election

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// The package decides and never acts: only so can the same Machine run in a keeper and in ten thousand
// simulated clusters, and a seed be a schedule.
func TestThePackageIsPure(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("no source: %v", err)
	}
	clock := map[string]bool{
		"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true, "Tick": true,
		"NewTimer": true, "NewTicker": true,
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range file.Imports {
			switch path := strings.Trim(imp.Path.Value, `"`); {
			case strings.Contains(path, "."):
				t.Errorf("%s imports %s: the standard library is enough", name, path)
			case path == "net" || path == "os" || path == "log" || path == "log/slog" || path == "sync" || strings.HasPrefix(path, "math/rand"):
				t.Errorf("%s imports %s: sockets, logs, locks and chance belong to the shell", name, path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", name)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && clock[n.Sel.Name] {
					t.Errorf("%s asks the clock: time.%s", name, n.Sel.Name)
				}
			}
			return true
		})
	}
}
