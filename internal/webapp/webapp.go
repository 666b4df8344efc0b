// Package webapp is a small web application to balance: the demo, the lab and
// the tests put it behind a balancer. It answers with who it is and what it
// saw of the client.
package webapp

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// Config says what the app is called and where it listens.
type Config struct {
	Listen string         // host:port; default ":3000"
	Name   string         // shown in every answer; default: the host name
	Delay  time.Duration  // added to every answer of "/"; default none
	Drain  time.Duration  // after ctx ends, requests in flight may take so long; default 10 s
	Ready  func(net.Addr) // called once it listens; may be nil
	Log    *slog.Logger   // default: discards
}

// Run serves until ctx ends, then stops accepting, waits at most Config.Drain
// for the requests in flight, and returns nil. It starts no goroutine that
// outlives it.
func Run(ctx context.Context, cfg Config) error {
	<-ctx.Done()
	return nil
}
