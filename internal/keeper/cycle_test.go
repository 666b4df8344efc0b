package keeper

import (
	"log/slog"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/election"
)

func TestAFaultThatComesAgainIsLoggedOnceAMinute(t *testing.T) {
	var c cycle
	now := time.Unix(0, 0)
	step := func(from, to election.State, why election.Why) bool {
		return c.level(election.Changed{From: from, To: to, Reason: election.Reason{Why: why}}, now) == slog.LevelInfo
	}
	said := 0
	for range 150 { // two and a half minutes of a deaf backup
		for _, loud := range []bool{
			step(election.Backup, election.Fault, election.WhyDeaf),
			step(election.Fault, election.Backup, election.WhyRetry),
		} {
			if loud {
				said++
			}
		}
		now = now.Add(time.Second)
	}
	if said > 6 {
		t.Errorf("said %d times in 150 s, want twice a minute", said)
	}
	if !step(election.Backup, election.Fault, election.WhyForeignOwner) {
		t.Error("another fault is no news")
	}
	if !step(election.Fault, election.Backup, election.WhyRetry) {
		t.Error("the way out of another fault is no news")
	}
	if !step(election.Backup, election.Active, election.WhyNoActive) || !step(election.Backup, election.Fault, election.WhyForeignOwner) {
		t.Error("a fault after something else is no news")
	}
}
