package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// names of metrics in the text of a query, and of what Prometheus makes of a histogram.
var metricName = regexp.MustCompile(`\btandem_[a-z0-9_]+`)

// known tells whether name is a metric, or a part of one.
func known(name string) bool {
	for _, f := range families() {
		if f.name == name {
			return true
		}
	}
	for _, l := range latencies {
		rest, ok := strings.CutPrefix(name, l.name)
		if ok && (rest == "_count" || rest == "_sum" || l.buckets && rest == "_bucket") {
			return true
		}
	}
	return false
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{deploy}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// board is as much of a Grafana board as has queries in it.
type board struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Annotations struct{ List []struct{ Name, Expr string } }
}

func queries(t *testing.T) map[string]string {
	t.Helper()
	var b board
	if err := json.Unmarshal([]byte(read(t, "grafana", "tandem.json")), &b); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, p := range b.Panels {
		for i, q := range p.Targets {
			out[p.Title+" "+string(rune('A'+i))] = q.Expr
		}
	}
	for _, a := range b.Annotations.List {
		out["annotation "+a.Name] = a.Expr
	}
	if len(out) < 20 {
		t.Fatalf("only %d queries were found in the board", len(out))
	}
	return out
}

func TestEveryQueryUsesMetricsThatExist(t *testing.T) {
	texts := queries(t)
	texts["rules"], texts["rules' test"] = read(t, "prometheus", "tandem.rules.yml"), read(t, "prometheus", "tandem.rules.test.yml")
	texts["template"] = read(t, "grafana", "tandem.json")
	for where, text := range texts {
		found := metricName.FindAllString(text, -1)
		if len(found) == 0 {
			t.Errorf("%s: no metric in %q", where, text)
		}
		for _, name := range found {
			if !known(name) {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
}

func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		testneed.Missing(t, "promtool: apt-get install prometheus")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestEachAlertFiresWhenItShouldAndElseIsSilent(t *testing.T) {
	dir := filepath.Join(deploy, "prometheus")
	promtool(t, dir, "check", "config", "prometheus.yml")
	promtool(t, dir, "test", "rules", "tandem.rules.test.yml")
	tested := read(t, "prometheus", "tandem.rules.test.yml")
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, "prometheus", "tandem.rules.yml"), -1) {
		if !strings.Contains(tested, "alertname: "+m[1]+"\n") {
			t.Errorf("no test has the alert %s fire", m[1])
		}
	}
}

// Grafana is not there to ask; what its queries say is checked as the rules are.
func TestTheQueriesOfTheBoardAreWellFormed(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("groups:\n- name: board\n  rules:\n")
	n := 0
	for where, expr := range queries(t) {
		expr = strings.NewReplacer("$__rate_interval", "1m", "$job", "tandem").Replace(expr)
		quoted, err := json.Marshal(expr) // which YAML reads
		if err != nil {
			t.Fatal(err)
		}
		n++
		rules.WriteString("  # " + where + "\n  - record: board:query" + strings.Repeat("x", n) + "\n    expr: " + string(quoted) + "\n")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "board.yml"), []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, dir, "check", "rules", "board.yml")
}
