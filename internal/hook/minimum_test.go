package hook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/hook"
)

// watch lets a pool that wants three backends live second by second: each letter of life
// is how many are up, a line over it while the node is the active one.
func watch(life string, active func(second int) bool) string {
	m := hook.Minimum{Pool: "web", Wanted: 3, After: 5 * time.Second}
	var got []string
	for second, up := range life {
		e := m.Look(at.Add(time.Duration(second)*time.Second), int(up-'0'), active(second))
		if e == nil {
			continue
		}
		word := map[string]string{hook.PoolBelowMinimum: "below", hook.PoolMinimumMet: "met"}[e.Name]
		got = append(got, fmt.Sprintf("%d:%s %d/%d-%d", second, word, e.Up, e.Wanted, e.Missing))
	}
	return strings.Join(got, " ")
}

func always(int) bool { return true }

func TestAShortageIsRaisedAgainAndAgainUntilItIsOver(t *testing.T) {
	life := "333" + strings.Repeat("1", 200) + "23" + "33333"
	want := "8:below 1/3-2 18:below 1/3-2 38:below 1/3-2 78:below 1/3-2 138:below 1/3-2 198:below 1/3-2 204:met 3/3-0"
	if got := watch(life, always); got != want {
		t.Errorf("raised\n%s, want\n%s", got, want)
	}
}

func TestAShortageThatEndsByItselfIsNone(t *testing.T) {
	if got := watch("3312113311123333", always); got != "" {
		t.Errorf("raised %s", got)
	}
}

func TestALossDuringAShortageIsRaisedSoonerThanItsTurn(t *testing.T) {
	// Raised at 5, 15, and then only at 35 again: but at 20 another one is lost.
	life := strings.Repeat("2", 20) + strings.Repeat("1", 11)
	if got, want := watch(life, always), "5:below 2/3-1 15:below 2/3-1 25:below 1/3-2"; got != want {
		t.Errorf("raised\n%s, want\n%s", got, want)
	}
}

func TestOnlyTheActiveRaises(t *testing.T) {
	never := func(int) bool { return false }
	if got := watch(strings.Repeat("0", 100)+"333", never); got != "" {
		t.Errorf("a backup raised %s", got)
	}
	// It becomes active in the shortage, and is again a backup before it ends.
	between := func(s int) bool { return s >= 30 && s < 45 }
	if got, want := watch(strings.Repeat("0", 60)+"333", between), "30:below 0/3-3 40:below 0/3-3"; got != want {
		t.Errorf("raised\n%s, want\n%s", got, want)
	}
	// The other one raised it; this one is active when it ends.
	if got, want := watch(strings.Repeat("0", 20)+"333", func(s int) bool { return s >= 20 }), "20:met 3/3-0"; got != want {
		t.Errorf("raised\n%s, want\n%s", got, want)
	}
}

// Against the plain meaning, for every short life of a pool: what is raised while active is
// at most once in ten seconds, says the truth, and ends with a word that it is over.
func TestEveryShortageHasAnEnd(t *testing.T) {
	m := hook.Minimum{Pool: "web", Wanted: 2, After: 3 * time.Second}
	ups := []int{0, 0, 0, 1, 2, 1, 0, 2, 2, 2, 0}
	now, raised, last := at, false, time.Time{}
	for i := range 5000 {
		up := ups[(i/7+i*i/50)%len(ups)]
		e := m.Look(now, up, true)
		switch {
		case e == nil && raised && up >= 2:
			t.Fatalf("step %d: the minimum is met, and nobody says so", i)
		case e == nil:
		case e.Name == hook.PoolBelowMinimum:
			if up >= 2 || e.Missing != 2-up || raised && now.Sub(last) < 10*time.Second {
				t.Fatalf("step %d: %+v with %d up, %v after the last", i, e.Shortage, up, now.Sub(last))
			}
			raised, last = true, now
		default:
			if !raised || up < 2 {
				t.Fatalf("step %d: %s with %d up", i, e.Name, up)
			}
			raised = false
		}
		now = now.Add(time.Second)
	}
	if !slices.Contains(ups, 0) || last.IsZero() {
		t.Error("the test has shown nothing")
	}
}
