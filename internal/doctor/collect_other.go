//go:build !linux

package doctor

import (
	"context"
	"time"
)

// Collect needs Linux, as a balancer does.
func Collect(_ context.Context, w Wanted, r *Running, _ time.Duration) Facts {
	return Facts{Wanted: w, Running: r, Unknown: []string{"this is not Linux: a balancer does not run here"}}
}
