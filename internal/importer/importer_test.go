package importer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/testneed"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew; read the diff before you commit")

func noFile(string) ([]byte, error) { return nil, fs.ErrNotExist }

// authority is a file with a certificate that may sign others.
const authority = "/etc/ssl/certs/backends.pem"

// oneFile makes that file readable, and no other.
func oneFile(t *testing.T) func(string) ([]byte, error) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return func(name string) ([]byte, error) {
		if name != authority {
			return noFile(name)
		}
		return text, nil
	}
}

// features are the files that show one each.
func features() (files []string) {
	for _, pattern := range []string{"testdata/*.cfg", "testdata/*.conf"} {
		found, _ := filepath.Glob(pattern) // the pattern is good
		files = append(files, found...)
	}
	return files
}

// written is a result as the golden files have it.
func written(r Result) string {
	var b strings.Builder
	b.WriteString(r.TOML + "\n")
	for _, i := range r.Report {
		fmt.Fprintf(&b, "%3d %-7s %s\n", i.Line, i.Became, i.Text)
		if i.Note != "" {
			fmt.Fprintf(&b, "            → %s\n", i.Note)
		}
	}
	return b.String()
}

// Each testdata/*.cfg and *.conf shows one feature; its .golden is what becomes of it.
func TestEachFeatureBecomesWhatItsGoldenFileSays(t *testing.T) {
	files := features()
	if len(files) < 20 {
		t.Fatalf("%d files", len(files))
	}
	readFile := oneFile(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Import([]Source{{filepath.Base(file), data}}, "lb1", readFile)
			if err != nil {
				t.Fatal(err)
			}
			golden := file + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(written(r)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), written(r)); diff != "" {
				t.Errorf("- want, + got (go test ./internal/importer -update writes it anew):\n%s", diff)
			}
			checkResult(t, r, string(data), readFile)
		})
	}
}

// checkResult: it passes 'tandem check', and no line is forgotten.
func checkResult(t *testing.T, r Result, source string, readFile func(string) ([]byte, error)) {
	t.Helper()
	if _, err := config.Parse("imported.toml", []byte(r.TOML), readFile); err != nil {
		t.Errorf("what was written does not pass the check:\n%s\n%v", r.TOML, err)
	}
	said := map[int]bool{}
	for _, i := range r.Report {
		if i.Line > 0 && said[i.Line] {
			t.Errorf("line %d is reported twice", i.Line)
		}
		said[i.Line] = true
		if i.Became == Left && i.Note == "" {
			t.Errorf("line %d is left, and why is not told: %q", i.Line, i.Text)
		}
	}
	n := 0
	for text := range strings.Lines(source) {
		n++
		words := keepalivedFields(text)
		words = slices.DeleteFunc(words, func(w string) bool { return w == "{" || w == "}" })
		if len(words) > 0 && len(fields(text)) > 0 && !said[n] {
			t.Errorf("line %d is forgotten: %q", n, text)
		}
	}
}

// The samples that Debian's packages ship.
func TestSamplesOfDebiansPackagesAreImported(t *testing.T) {
	var files []string
	for _, pattern := range []string{
		"/usr/share/doc/haproxy/examples/*.cfg", "/etc/haproxy/haproxy.cfg", "/usr/share/doc/keepalived/samples/keepalived.conf.*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 30 {
		testneed.Missing(t, "the samples of haproxy and keepalived (%d of them are here): apt-get install haproxy keepalived, with their documentation", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				if errors.Is(err, fs.ErrPermission) {
					testneed.Missing(t, "the right to read %s: run as root", file)
				}
				t.Fatal(err)
			}
			r, err := Import([]Source{{file, data}}, "lb1", noFile)
			if err != nil {
				t.Fatal(err)
			}
			checkResult(t, r, string(data), noFile)
		})
	}
}

func TestBothFilesOfAPairBecomeOneConfiguration(t *testing.T) {
	r, err := Import([]Source{
		{"keepalived.conf", []byte("vrrp_instance web {\n interface eth1\n priority 150\n virtual_ipaddress {\n  192.168.42.42/24\n }\n}\n")},
		{"haproxy.cfg", []byte("defaults\n mode http\nfrontend http\n bind :80\n default_backend apps\nbackend apps\n server a 10.0.0.1:3000 check\n")},
	}, "", noFile)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("x", []byte(r.TOML), noFile)
	if err != nil || len(cfg.VIPs) != 1 || len(cfg.Frontends) != 1 || cfg.Frontends[0].Pool != "apps" {
		t.Errorf("%s\n%v", r.TOML, err)
	}
	if !strings.Contains(written(r), "--priority 150") {
		t.Errorf("whose the priority is is not asked:\n%s", written(r))
	}
}

func FuzzImport(f *testing.F) {
	for _, file := range features() {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data, "lb1")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, node string) {
		if len(data) > 4<<10 {
			return
		}
		r, err := Import([]Source{{"x", data}}, node, noFile)
		if err != nil {
			if strings.Contains(err.Error(), "not UTF-8") {
				return
			}
			t.Fatal(err)
		}
		if _, err := config.Parse("x", []byte(r.TOML), noFile); err != nil {
			t.Errorf("%s\n%v", r.TOML, err)
		}
	})
}

func TestALargeFileIsImportedInShortTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("defaults\n mode http\n timeout connect 1h\n")
	for i := range 400 {
		fmt.Fprintf(&b, "listen l%d\n bind :%d\n retries 99\n server s 10.0.0.1:80 inter 99h\n", i, i%5000)
	}
	began := time.Now()
	r, err := Import([]Source{{"haproxy.cfg", []byte(b.String())}}, "", noFile)
	if err != nil || !strings.Contains(r.TOML, "[[frontend]]") {
		t.Fatalf("%d bytes, %v", len(r.TOML), err)
	}
	checkResult(t, r, b.String(), noFile)
	t.Log("took", time.Since(began))
}
