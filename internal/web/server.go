package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of what those who look may use.
const (
	maxConns      = 64
	maxHeader     = 16 << 10 // bytes
	headerTimeout = 5 * time.Second
	idleTimeout   = 60 * time.Second
	writeTimeout  = 30 * time.Second // of one answer; streams set their own
	endTimeout    = time.Second
)

// Server answers on the status address. What it is given must be safe for use by many
// goroutines.
type Server struct {
	Allow   []netip.Prefix  // whose addresses are answered; none: nobody's
	Metrics http.Handler    // at /metrics
	Cluster func() []byte   // what the page shows, as JSON in one line
	History func() []byte   // what its charts begin with, likewise
	Changed <-chan struct{} // something is worth showing at once; nil: nothing ever is

	// Hosts returns the names by which the page may be asked for, beside addresses and localhost:
	// under a name that anybody can make, a page from elsewhere could read this one (DNS
	// rebinding). nil: none.
	Hosts func() []string
	Admin Admin // who may give orders; zero: nobody
}

// Serve answers on l until ctx ends, then closes it and returns nil when the requests under
// way have been answered, within a second.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	pictures := newStream(s.Cluster)
	ctx, stopStream := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stopStream()
	running.Go(func() { pictures.run(ctx, s.Changed) })
	hs := &http.Server{
		Handler: s.handler(pictures), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, IdleTimeout: idleTimeout, WriteTimeout: writeTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		if hs.Shutdown(bound) != nil {
			hs.Close()
		}
	})
	err := hs.Serve(netutil.LimitListener(l, maxConns))
	if stop() { // ctx goes on: it is the listener that failed
		return fmt.Errorf("status page: %w", err)
	}
	<-ended
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("status page: %w", err)
	}
	return nil
}

func (s *Server) handler(pictures *stream) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics)
	mux.Handle("GET /", page())
	d := newDesk(s.Admin)
	mux.HandleFunc("GET /admin", d.state)
	mux.HandleFunc("POST /admin", d.order)
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) { pictures.serve(w, r, s.History()) })
	return s.guard(mux)
}

// guard refuses whoever is not allowed, and says what browsers need to know.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.allowed(r.RemoteAddr) {
			http.Error(w, "This is for hosts in the networks of [control] status_allow; you come from "+r.RemoteAddr+".", http.StatusForbidden)
			return
		}
		if !s.named(r.Host) {
			http.Error(w, fmt.Sprintf("This page is not known as %q. Ask for it by an address, or put the name into [control] status_hosts.", r.Host), http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// named says whether the page may be asked for under the host of a request. None at all is
// what no browser sends.
func (s *Server) named(hostport string) bool {
	name := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil || name == "" || name == "localhost" {
		return true
	}
	return s.Hosts != nil && slices.ContainsFunc(s.Hosts(), func(h string) bool { return strings.ToLower(h) == name })
}

func (s *Server) allowed(remote string) bool {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := from.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(s.Allow, func(p netip.Prefix) bool { return p.Contains(addr) })
}
