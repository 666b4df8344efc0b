package agent

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/config"
)

// An app that speaks TLS is asked as its part of the file says, by HTTP/1.1, HTTP/2 and gRPC.
func TestAnAppThatSpeaksTLSIsAskedByTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/grpc.health.v1.Health/Check" {
			io.WriteString(w, "ready by "+r.Proto)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		w.Write([]byte{0, 0, 0, 0, 2, 8, 1}) // a message of 2 bytes: status is SERVING
		w.Header().Set("Grpc-Status", "0")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ check, want string }{
		"its authority":       {"http = \"/\"\nca_file = \"ca.pem\"\nexpect = \"HTTP/1.1\"", ""},
		"another name of its": {"http = \"/\"\nca_file = \"ca.pem\"\nserver_name = \"example.com\"", ""},
		"by HTTP/2":           {"http = \"/\"\nca_file = \"ca.pem\"\nprotocol = \"h2\"\nexpect = \"HTTP/2\"", ""},
		"by gRPC":             {"grpc = true\nca_file = \"ca.pem\"", ""},
		"a handshake alone":   {"ca_file = \"ca.pem\"", ""},
		"whoever it is":       {"http = \"/\"\nverify = false", ""},
		"a stranger's":        {"http = \"/\"\ntls = true", "TLS handshake: x509: certificate signed by unknown authority"},
		"not its name":        {"grpc = true\nca_file = \"ca.pem\"\nserver_name = \"other.example\"", "TLS handshake: x509: certificate is valid for"},
		"plain text":          {"http = \"/\"", "status 400"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "agent.toml")
			text := "[cluster]\njoin = [\"lb1\"]\n[[app]]\npool = \"web\"\nport = 3000\n[app.check]\ntimeout = \"20s\"\n" + tc.check + "\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			a, err := config.LoadAgent(file, config.AgentFlags{})
			if err != nil {
				t.Fatal(err)
			}
			at := netip.MustParseAddrPort(s.Listener.Addr().String())
			err = newProbe(a.Apps[0].Check, at.Addr(), at.Port()).ask(t.Context())
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("found %v, want %q", err, tc.want)
			}
		})
	}
}
