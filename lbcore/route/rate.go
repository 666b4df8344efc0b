package route

import (
	"fmt"
	"time"
)

// Rate is how many requests each source may make: Burst at once, and what it has used of
// that comes back evenly, Count in each Per.
type Rate struct {
	Count int           `json:"count"` // 1 to MaxRate
	Per   time.Duration `json:"per"`   // MinPer to MaxPer
	Burst int           `json:"burst"` // 1 to MaxRate
}

// Bounds of a Rate.
const (
	MaxRate = 1_000_000
	MinPer  = time.Second
	MaxPer  = time.Hour
)

// Problem says what is wrong with r; "" if nothing is.
func (r *Rate) Problem() string {
	switch {
	case r.Count < 1 || r.Count > MaxRate || r.Burst < 1 || r.Burst > MaxRate:
		return fmt.Sprintf("%d requests, %d at once: want 1 to %d", r.Count, r.Burst, MaxRate)
	case r.Per < MinPer || r.Per > MaxPer:
		return fmt.Sprintf("requests in %v: want %v to %v", r.Per, MinPer, MaxPer)
	}
	return ""
}
