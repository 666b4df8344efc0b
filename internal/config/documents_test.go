package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/guide"
)

// A snippet in a document is a part of a file; what else a file must have is added here.
var namesPool = regexp.MustCompile(`(?m)^\s*pool\s*=\s*"([\w-]+)"`)

func completed(snippet string) string {
	whole := snippet
	if within := strings.TrimLeft(whole, "["); strings.HasPrefix(within, "frontend.") {
		whole = "[[frontend]]\nlisten = \":80\"\npool = \"web\"\n" + whole
	}
	for _, m := range namesPool.FindAllStringSubmatch(whole, -1) {
		if table := "[pool." + m[1] + "]"; !strings.Contains(whole, table) {
			whole += "\n" + table + "\n"
		}
	}
	if !strings.Contains(whole, "[[frontend]]") {
		pool := regexp.MustCompile(`\[pool\.([\w-]+)`).FindStringSubmatch(whole)
		if pool == nil {
			pool = []string{"", "web"}
			whole += "\n[pool.web]\n"
		}
		whole += "\n[[frontend]]\nlisten = \":80\"\npool = \"" + pool[1] + "\"\n"
	}
	if !strings.Contains(whole, "[[vip]]") {
		whole += "\n[[vip]]\naddress = \"192.168.42.42\"\n"
	}
	return whole
}

func TestTheSnippetsOfTheDocumentsParse(t *testing.T) {
	files, err := guide.Files("../..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) ([]byte, error) { // whatever is named is there
		if strings.HasSuffix(name, ".key") {
			return readTestKey(filepath.Base(name))
		}
		return testCertificates()["www.example.com.pem"], nil
	}
	n := 0
	for _, f := range files {
		d, err := guide.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range d.Blocks {
			if !b.TOML() {
				continue
			}
			n++
			if strings.Contains(b.Text(), "[[app]]") {
				_, err = ParseAgent(b.At(0), []byte(b.Text()+"\n[cluster]\njoin = [\"192.168.42.42\"]\n"), read)
			} else {
				_, err = Parse(b.At(0), []byte(completed(b.Text())), read)
			}
			if err != nil {
				t.Errorf("%s:\n%v", b.At(0), err)
			}
		}
	}
	if n < 2 {
		t.Errorf("only %d snippets were found", n)
	}
}
