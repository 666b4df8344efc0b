package membership_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

// keeping makes a member keep a snapshot at path.
func keeping(path string) func(*membership.Config) {
	return func(cfg *membership.Config) { cfg.Snapshot = path }
}

// snapshotOf returns the places in the snapshot at path, and when it was written.
func snapshotOf(t *testing.T, path string) (places []string, written time.Time) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	seconds, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "tandem members 1 "), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return lines[1:], time.Unix(seconds, 0)
}

func TestAMemberWhoseSeedsAreGoneComesBackByItsSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		s1 := w.start("s1", 21, []string{"10.0.0.11"}, keeping(path))
		w.agree(2*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		s1.stop() // sooner than the first regular look
		lb1.crash()
		time.Sleep(time.Minute)
		s1 = w.start("s1", 31, []string{"10.0.0.11"}, keeping(path)) // at an address that lb2 does not try
		took := w.within(2*time.Second, "s1 is back", func() bool {
			return lb2.member("s1").State == membership.StateAlive && s1.member("lb2").State == membership.StateAlive
		})
		t.Logf("back after %v", took)
		if !strings.Contains(s1.logged(), "members of an earlier run are tried too") {
			t.Errorf("nothing said:\n%s", s1.logged())
		}
	})
}

func TestASnapshotKeepsBalancersFirstAndIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, keeping(path))
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		lb3 := w.start("lb3", 13, bothSeeds, nil)
		for i := range 40 {
			w.start(fmt.Sprintf("a%02d", i), 101+i, bothSeeds, nil)
		}
		w.within(10*time.Second, "all are there", func() bool { return len(lb1.Members()) == 43 })
		lb2.crash()
		w.within(10*time.Second, "lb2 failed", func() bool { return lb1.member("lb2").State == membership.StateFailed })
		time.Sleep(11 * time.Second)
		places, _ := snapshotOf(t, path)
		if len(places) != 32 || places[0] != lb3.addr+":7946" || places[1] != lb2.addr+":7946" {
			t.Errorf("it holds %d: %v", len(places), places)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(entries) != 1 {
			t.Errorf("the directory holds %v, %v", entries, err)
		}
	})
}

func TestASnapshotStaysFreshAndOutlivesLoneliness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, keeping(path))
		lb2 := w.start("lb2", 12, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive lb2:alive", lb1, lb2)
		time.Sleep(10 * time.Second)
		_, first := snapshotOf(t, path)
		time.Sleep(90 * time.Minute)
		if _, written := snapshotOf(t, path); time.Since(written) > 31*time.Minute || time.Since(first) < 90*time.Minute {
			t.Errorf("written %v ago", time.Since(written))
		}
		lb2.crash()
		time.Sleep(70 * time.Minute)
		lb1.stop()
		places, written := snapshotOf(t, path)
		if len(places) != 1 || places[0] != lb2.addr+":7946" || time.Since(written) < 70*time.Minute {
			t.Errorf("alone, it has written %v, %v ago", places, time.Since(written))
		}
	})
}

func TestOnceABalancerIsFoundTheSnapshotIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	text := "tandem members 1 946684800\n10.0.0.91:7946\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, nil, nil)
		s1 := w.start("s1", 21, []string{"10.0.0.11"}, keeping(path))
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		time.Sleep(10 * time.Second)          // for the attempt that was under way
		other := w.start("lb9", 91, nil, nil) // another cluster's, which got that address
		time.Sleep(2 * time.Minute)
		w.agree(0, "lb1:alive s1:alive", lb1, s1)
		w.agree(0, "lb9:alive", other)
	})
}

func TestASnapshotThatCannotBeUsedIsIgnoredAndSaid(t *testing.T) {
	stamp := func(ago time.Duration) string { // of the fake clock, which begins in 2000
		return fmt.Sprintf("tandem members 1 %d\n", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(-ago).Unix())
	}
	for what, text := range map[string]string{
		"empty":              "",
		"rubbish":            "\x00\xff\n\n\n",
		"another version":    "tandem members 2 946684800\n10.0.0.12:7946\n",
		"no time":            "tandem members 1 now\n10.0.0.12:7946\n",
		"not an address":     stamp(0) + "10.0.0.12\n",
		"multicast":          stamp(0) + "224.0.0.1:7946\n",
		"port 0":             stamp(0) + "10.0.0.12:0\n",
		"cut short":          stamp(0) + "10.0.0.12:7946\n10.0.0",
		"too many":           stamp(0) + strings.Repeat("10.0.0.12:7946\n", 33),
		"too large":          stamp(0) + "10.0.0.12:7946" + strings.Repeat("\n", 5000),
		"older than a day":   stamp(25*time.Hour) + "10.0.0.12:7946\n",
		"a folder":           "folder",
		"good, for contrast": stamp(23*time.Hour) + "10.0.0.12:7946\n",
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "members")
			err := os.WriteFile(path, []byte(text), 0o600)
			if text == "folder" {
				os.Remove(path)
				err = os.Mkdir(path, 0o700)
			}
			if err != nil {
				t.Fatal(err)
			}
			inWorld(t, func(t *testing.T, w *world) {
				lb2 := w.start("lb2", 12, nil, nil)
				s1 := w.start("s1", 21, nil, keeping(path))
				time.Sleep(5 * time.Second)
				good := strings.HasPrefix(what, "good")
				if joined := lb2.sees() == "lb2:alive s1:alive"; joined != good {
					t.Errorf("joined: %v", joined)
				}
				if said := strings.Contains(s1.logged(), "level=WARN msg=\"the snapshot of members is ignored"); said == good {
					t.Errorf("the log says:\n%s", s1.logged())
				}
			})
		})
	}
}

func TestASnapshotThatCannotBeWrittenIsSaidOnceAndHarmsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", "members")
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, keeping(path))
		s1 := w.start("s1", 21, bothSeeds, nil)
		time.Sleep(5 * time.Minute)
		w.agree(0, "lb1:alive s1:alive", lb1, s1)
		lb1.stop()
		synctest.Wait()
		if n := strings.Count(lb1.logged(), "the snapshot of members cannot be written"); n != 1 {
			t.Errorf("said %d times:\n%s", n, lb1.logged())
		}
	})
}

// What is remembered but dead must not keep a balancer's cold start waiting.
func TestSeedsTriedDoesNotWaitForTheSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	text := "tandem members 1 946684800\n10.0.0.91:7946\n10.0.0.92:7946\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inWorld(t, func(t *testing.T, w *world) {
		w.start("lb2", 12, nil, nil)
		begun := time.Now()
		lb1 := w.start("lb1", 11, []string{"10.0.0.12"}, keeping(path))
		<-lb1.SeedsTried()
		if took := time.Since(begun); took >= time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestOnRealSocketsASnapshotAloneLeadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	lb1 := real(t, "lb1", "127.0.0.1:0")
	s1 := realWith(t, "s1", "127.0.0.3:0", keeping(path), gossipAddr(lb1))
	eventually(t, "both see both", func() bool { return view(lb1) == "lb1:alive s1:alive" && view(s1) == view(lb1) })
	s1.Close()
	eventually(t, "the snapshot is written", func() bool { _, err := os.Stat(path); return err == nil })
	s2 := realWith(t, "s2", "127.0.0.4:0", keeping(path)) // another name, so that nobody looks for it
	eventually(t, "it is back", func() bool {
		return strings.Contains(view(s2), "lb1:alive") && strings.Contains(view(lb1), "s2:alive")
	})
}
