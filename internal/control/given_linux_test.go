package control

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// sockets are listening ones, as the keeper makes them, and plain files.
func descriptors(t *testing.T, kinds string) (files []*os.File) {
	t.Helper()
	dir := t.TempDir()
	for i, kind := range kinds {
		switch kind {
		case 'u', 't':
			network, addr := "unix", filepath.Join(dir, string(rune('a'+i)))
			if kind == 't' {
				network, addr = "tcp", "127.0.0.1:0"
			}
			l, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			f, err := l.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			files = append(files, f)
		default:
			f, err := os.CreateTemp(dir, "state")
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
	}
	return files
}

func TestDescriptorsOfTheKeeperAreTakenForWhatTheyAre(t *testing.T) {
	for kinds, want := range map[string]struct{ page, state, refused bool }{
		"u":       {},
		"ut":      {page: true},
		"ufffff":  {state: true},
		"uffffft": {page: true, state: true},
		"f":       {refused: true},
		"uff":     {refused: true},
		"uffff":   {refused: true},
		"uf":      {page: true, refused: true},
		"":        {refused: true},
	} {
		files := descriptors(t, kinds)
		g, err := take(&ipc.ControlStart{StatusPage: want.page}, files)
		if want.refused {
			if err == nil {
				t.Errorf("%q is taken", kinds)
			}
		} else if err != nil || (g.page != nil) != want.page || (g.members != nil) != want.state || want.state && (len(g.timeline) != 2 || g.hands == nil) {
			t.Errorf("%q: %+v, %v", kinds, g, err)
		} else {
			g.close()
		}
		for i, f := range files {
			if f.Close() == nil {
				t.Errorf("%q: descriptor %d is left open", kinds, i)
			}
		}
	}
}
