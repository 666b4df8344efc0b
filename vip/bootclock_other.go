//go:build !linux

package vip

import "time"

var processStart = time.Now()

// bootClock stands in for CLOCK_BOOTTIME: nothing is held on this system.
func bootClock() time.Duration { return time.Since(processStart) }
