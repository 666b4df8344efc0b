package proxy

import (
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

// stickyConfig turns what the keeper says of a pool's sticky sessions into lbcore's; nil
// stays nil.
func stickyConfig(s *ipc.Sticky) *lbcore.StickyConfig {
	if s == nil {
		return nil
	}
	c := &lbcore.StickyConfig{
		Cookie: s.Cookie, Secrets: s.Secrets, MaxAge: s.MaxAge,
		SameSite: map[string]string{"lax": "Lax", "strict": "Strict", "none": "None"}[s.SameSite],
	}
	if len(c.Secrets) == 0 {
		c.Secrets = [][]byte{ownStickySecret}
	}
	return c
}

// ownStickySecret is for pools without a secret that the balancers share.
var ownStickySecret = newSecret()

// stickyCounts is nil where there is nothing to count.
func stickyCounts(c lbcore.StickyCounters) map[string]uint64 {
	if c == (lbcore.StickyCounters{}) {
		return nil
	}
	return map[string]uint64{"kept": c.Kept, "lost": c.Lost, "new": c.New}
}
