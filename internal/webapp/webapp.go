// Package webapp is a small web application to balance: the demo, the lab and
// the tests put it behind a balancer. It answers with who it is and with what
// it saw of the client.
//
//	/          name, process id, number of requests, X-Forwarded-For; a page for browsers
//	/whoami    the same and more, as JSON ([Answer])
//	/healthz   "ok"; is not counted
//	/slow      the same as /, after ?ms= milliseconds
//	/stream    ?n= lines, one each ?ms= milliseconds, chunked
//	/upload    bytes and SHA-256 of the body, as JSON ([Uploaded])
//	/echo      with Upgrade: echo, sends back what it receives, as a WebSocket app might
//
// It stands on net/http on purpose: it is an app as others write them, not a
// part of the balancer.
package webapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// Config says what the app is called and where it listens.
type Config struct {
	Listen string         // host:port; default ":3000"
	Name   string         // shown in every answer; default: the host name
	Delay  time.Duration  // before every answer of "/"; default none
	Drain  time.Duration  // after ctx ends, requests in flight may take so long; default 10 s
	Ready  func(net.Addr) // called once it listens; may be nil
	Log    *slog.Logger   // default: discards
}

// Run serves until ctx ends, then accepts nothing more, lets the requests in
// flight end, which may take Config.Drain, and returns nil. Streams are told
// to end early. An error says why it could not listen, or that requests were
// cut off. Nothing that Run started outlives it, except a handler that was
// cut off and has not noticed yet.
func Run(ctx context.Context, cfg Config) error {
	cfg = withDefaults(cfg)
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("webapp %s: %w; choose another address with --listen", cfg.Name, err)
	}
	app := &app{name: cfg.Name, delay: cfg.Delay, stopping: ctx.Done()}
	server := &http.Server{
		Handler:           app.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		// Longer than any balancer's: the balancer, who knows whether a
		// request is under way, should be the one who closes.
		IdleTimeout: 5 * time.Minute,
		ErrorLog:    slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	cfg.Log.Info("webapp listens", "name", cfg.Name, "addr", l.Addr().String(), "pid", os.Getpid())
	if cfg.Ready != nil {
		cfg.Ready(l.Addr())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("webapp %s: %w", cfg.Name, err)
	case <-ctx.Done():
	}
	cfg.Log.Info("webapp drains", "name", cfg.Name, "at_most", cfg.Drain)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Drain)
	defer cancel()
	err = server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("webapp %s: requests cut off after %s", cfg.Name, cfg.Drain)
		server.Close()
	}
	<-served
	return err
}

func withDefaults(cfg Config) Config {
	if cfg.Listen == "" {
		cfg.Listen = ":3000"
	}
	if cfg.Name == "" {
		cfg.Name, _ = os.Hostname()
	}
	if cfg.Drain == 0 {
		cfg.Drain = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}
