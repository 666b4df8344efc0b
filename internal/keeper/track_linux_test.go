package keeper

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
)

// Real programs: one that fails while a file is missing, and one that never ends. What is
// taken out of the list ends, what stays keeps what is known of it.
func TestTracksRunTheirProgramsUntilTheyAreTakenOut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()
	events := make(chan event, 1)
	d := newTrackDesk("lb1", slog.New(slog.DiscardHandler))
	d.run = func(f func(context.Context)) { running.Go(func() { f(ctx) }) }
	d.emit = func(ev event) {
		select {
		case events <- ev:
		case <-ctx.Done():
		}
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // the programs run as another user
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	flag := filepath.Join(dir, "up")
	file := config.Track{
		Name: "file", Command: []string{"/bin/sh", "-c", `[ "$TANDEM_TRACK-$TANDEM_NODE" = file-lb1 ] && [ -e ` + flag + " ]"},
		Interval: 10 * time.Millisecond, Timeout: 10 * time.Second, Rise: 2, Fall: 3, Weight: 64,
	}
	hang := config.Track{
		Name: "hang", Command: []string{"/bin/sleep", "1000"},
		Interval: 10 * time.Millisecond, Timeout: 50 * time.Millisecond, Rise: 1, Fall: 1, Weight: 10,
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		for !ok() {
			select {
			case ev := <-events:
				d.ran(time.Now(), ev.(trackRan))
			case <-deadline:
				t.Fatalf("%s: it did not come to that: %+v", what, d.states())
			}
		}
	}
	d.set([]config.Track{file, hang})
	until("both fail", func() bool { return short(255, d.all) == 255-64-10 })
	if reason := d.states()[1].Reason; !strings.Contains(reason, "deadline") {
		t.Errorf("the one that hangs is down because %q, want its deadline", reason)
	}
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	until("the file's is up", func() bool { return d.states()[0].State == "up" })
	kept := d.all[0]
	d.set([]config.Track{file})
	if len(d.states()) != 1 || d.all[0] != kept || short(255, d.all) != 255 {
		t.Errorf("after a reload: %+v, want the one that stayed with all that is known", d.states())
	}
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	until("the file's is down again", func() bool { return d.states()[0].State == "down" })
	d.set(nil)
	running.Wait() // of what was taken out nothing goes on
}
