package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// orderTimeout bounds an order; a client waits a little longer.
const orderTimeout = 30 * time.Second

// Server answers the API. Its functions must be safe for use by many goroutines.
type Server struct {
	Status func() Status
	// Cluster returns what is known of all balancers; it may wait a moment for their answers.
	Cluster func(context.Context) Cluster
	// MembersOf asks another balancer for the members as it sees them.
	MembersOf func(ctx context.Context, node string) ([]Member, error)
	// ReplaceProxy puts a new proxy process in the place of the one that serves, and returns
	// when it serves; on the balancer called node, as the following, "" for this one. An *Error
	// is passed on to the operator as it is.
	ReplaceProxy func(ctx context.Context, node string) (Done, error)
	// Reload loads the configuration again, or with dryRun only says what would change.
	Reload func(ctx context.Context, node string, dryRun bool) (Reload, error)
	// HandOver moves a group's VIPs ("" for all groups) to the node to ("" for the best), and
	// returns when that is active.
	HandOver func(ctx context.Context, group, to string) (Done, error)
	// Maintain takes a balancer out of service, or back, and returns when its VIPs have moved.
	Maintain func(ctx context.Context, node string, on bool) (Done, error)
	// Keys carries out an order about the gossip keys. Where some members have not followed, that is in the answer.
	Keys func(context.Context, KeyOrder) (Keys, error)
	// SetBackend sets a backend's state or weight by hand.
	SetBackend func(context.Context, BackendOrder) (Done, error)
	// Join tries seeds, and returns when a member was found.
	Join func(ctx context.Context, seeds []string) (Done, error)
	// Event tells every member of a user's event.
	Event func(context.Context, Event) (Done, error)
	// Timeline returns what happened, and Why the story of the last change of a VIP or group, or
	// of a backend that gets no requests. Both may wait a moment for other balancers.
	Timeline func(context.Context, TimelineQuery) (Timeline, error)
	Why      func(ctx context.Context, of, node string) (Story, error)
	// Logs returns a page of an agent's log.
	Logs func(context.Context, LogQuery) (LogPage, error)
	// Routes returns the rules that are in effect.
	Routes func() []Routes
	// TemplateData is what templates see now.
	TemplateData func(context.Context) (any, error)
	// Watch calls send with a [WatchBegin], and then with each event that is wanted, a
	// [WatchMissed], or nil now and then, until ctx ends or send fails. An *Error before that
	// is passed on.
	Watch func(ctx context.Context, q WatchQuery, send func(any) error) error
	// Who says who is at the other end of a connection, for [Caller]; nil: nobody asks.
	Who func(net.Conn) string
}

// Serve answers on l until ctx ends, then closes it and returns nil once every request
// under way has been answered (1 s at most).
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s.routes(ctx),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       s.connContext,
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		srv.Shutdown(bound)
	})
	err := srv.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin API: %w", err)
}

func (s *Server) routes(serving context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/events", s.watch(serving))
	mux.HandleFunc("GET /v1/template-data", func(w http.ResponseWriter, r *http.Request) {
		replyTo(w, r, s.TemplateData)
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, s.Status())
	})
	mux.HandleFunc("GET /v1/members", func(w http.ResponseWriter, r *http.Request) {
		node := r.URL.Query().Get("node")
		if node == "" {
			reply(w, http.StatusOK, s.Status().Members)
			return
		}
		replyTo(w, r, func(ctx context.Context) ([]Member, error) { return s.MembersOf(ctx, node) })
	})
	mux.HandleFunc("POST /v1/proxy/replace", func(w http.ResponseWriter, r *http.Request) {
		replyTo(w, r, func(ctx context.Context) (Done, error) { return s.ReplaceProxy(ctx, r.URL.Query().Get("node")) })
	})
	mux.HandleFunc("POST /v1/handover", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		replyTo(w, r, func(ctx context.Context) (Done, error) { return s.HandOver(ctx, q.Get("group"), q.Get("to")) })
	})
	for _, on := range []bool{true, false} {
		mux.HandleFunc("POST /v1/maint/"+map[bool]string{true: "on", false: "off"}[on], func(w http.ResponseWriter, r *http.Request) {
			replyTo(w, r, func(ctx context.Context) (Done, error) { return s.Maintain(ctx, r.URL.Query().Get("node"), on) })
		})
	}
	mux.HandleFunc("POST /v1/keys", takeOrder(s.Keys))
	mux.HandleFunc("POST /v1/backend", takeOrder(s.SetBackend))
	mux.HandleFunc("POST /v1/join", takeOrder(s.Join))
	mux.HandleFunc("POST /v1/event", takeOrder(s.Event))
	mux.HandleFunc("POST /v1/leave", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusConflict, refuseLeave)
	})
	s.timelineRoutes(mux)
	s.logRoutes(mux)
	s.clusterRoutes(mux)
	s.reloadRoute(mux)
	s.routesRoute(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusNotFound, &Error{
			Message: fmt.Sprintf("no %s %s in this API", r.Method, r.URL.Path),
			Remedy:  "it has GET /v1/status, GET /v1/cluster, GET /v1/members, GET /v1/routes, GET /v1/timeline, GET /v1/why, GET /v1/logs, GET /v1/events, GET /v1/template-data, and by POST /v1/reload, /v1/proxy/replace, /v1/handover, /v1/maint/on, /v1/maint/off, /v1/backend, /v1/keys, /v1/join and /v1/event; a newer tandem command may be talking to an older balancer",
		})
	})
	return mux
}

// replyTo carries out an order, and says 409 when it was refused or failed.
func replyTo[A any](w http.ResponseWriter, r *http.Request, order func(context.Context) (A, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	done, err := order(ctx)
	if err == nil {
		reply(w, http.StatusOK, done)
		return
	}
	e := new(Error)
	if !errors.As(err, &e) {
		e.Message = err.Error()
	}
	reply(w, http.StatusConflict, e)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.Encode(v) // an error here is a client that went away
}
