package config

import "time"

// RetryBudget bounds the retries of a pool over the last ten seconds.
type RetryBudget struct {
	Percent   int // of the requests
	PerSecond int // besides
}

// Outlier ejects backends that fail requests.
type Outlier struct {
	Consecutive5xx    int           // answers in a row; 0: they do not eject
	ConsecutiveErrors int           // in a row; 0: they do not eject
	EjectionTime      time.Duration // of the first; the second in a row lasts twice as long, and so on
	MaxEjectionTime   time.Duration // no less than the first
	MaxEjected        int           // percent of the pool
}

func outlier(raw *rawOutlier) Outlier {
	return Outlier{
		Consecutive5xx: raw.Consecutive5xx.V, ConsecutiveErrors: raw.ConsecutiveErrors.V,
		EjectionTime: raw.EjectionTime.V, MaxEjectionTime: max(raw.MaxEjectionTime.V, raw.EjectionTime.V), MaxEjected: raw.MaxEjected.V,
	}
}
