package keeper

import (
	"log/slog"
	"time"

	"github.com/tandem-lb/tandem/election"
)

// cycleSaid is how often the log is told of a fault that is tried again every second.
const cycleSaid = time.Minute

// cycle knows of a machine that goes from backup to fault and back for the same reason, again
// and again: a deaf backup does, or one that finds a stranger with the VIP. The first time is
// news, and then once in a while; any other way out of it is news again.
type cycle struct {
	why  election.Why // of the fault; 0: none
	said time.Time
	on   bool // it came again
}

// level says how loudly a change is to be logged.
func (c *cycle) level(ch election.Changed, now time.Time) slog.Level {
	switch {
	case ch.To == election.Fault && ch.Reason.Why == c.why && now.Sub(c.said) < cycleSaid:
		c.on = true
		return slog.LevelDebug
	case ch.To == election.Fault:
		*c = cycle{why: ch.Reason.Why, said: now}
	case ch.From == election.Fault && ch.To == election.Backup:
		if c.on {
			return slog.LevelDebug
		}
	default:
		*c = cycle{}
	}
	return slog.LevelInfo
}
