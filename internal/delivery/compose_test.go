package delivery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// compose2 reads compose files as Compose v2 does: it is made of the same loader, by the
// Compose specification's authors. Debian has no Compose v2 that could do it.
func compose2(t *testing.T, files ...string) (string, error) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return command(root, nil, "go", append([]string{"tool", "-modfile=.ci/tools.mod", "github.com/compose-spec/compose-go/v2/cmd"}, files...)...)
}

func TestTheComposeFilesAreForComposeV2(t *testing.T) {
	t.Parallel()
	need(t, "go", "golang")
	if out, err := compose2(t, "deploy/docker/compose.yaml", "deploy/docker/sidecar.yaml"); err != nil || !strings.Contains(out, "network_mode: service:plain") {
		t.Errorf("%v\n%s", err, out)
	}
	// A key that there is not would be noticed.
	text, err := os.ReadFile("../../deploy/docker/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(wrong, []byte(strings.ReplaceAll(string(text), "stop_grace_period", "stop_grace")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := compose2(t, wrong); err == nil || !strings.Contains(err.Error(), "stop_grace") {
		t.Errorf("a wrong key was taken: %v\n%s", err, out)
	}
}
