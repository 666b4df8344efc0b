package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of the socket.
const (
	maxSocketConns = 16
	maxSocketBody  = 4 << 10 // bytes
	socketTimeout  = 5 * time.Second
)

// Status is what the agent says of itself on its socket.
type Status struct {
	Name      string          `json:"name"`
	Stage     string          `json:"stage"` // serving, draining, stopping or leaving
	Apps      []AppStatus     `json:"apps"`
	Processes []ProcessStatus `json:"processes"`
	Syslog    any             `json:"syslog,omitempty"` // counters of the sender to the collector
}

// AppStatus is one app.
type AppStatus struct {
	Backend string `json:"backend"` // as balancers call it
	Pool    string `json:"pool"`
	Port    uint16 `json:"port"`
	Well    bool   `json:"well"` // its check passes, and it is announced
	Weight  int    `json:"weight"`
	Drain   bool   `json:"drain"`
}

// ProcessStatus is one process.
type ProcessStatus struct {
	Name     string `json:"name"`
	Phase    string `json:"phase"` // waiting, running, pausing or over
	PID      int    `json:"pid,omitempty"`
	Ready    bool   `json:"ready"`
	Restarts int    `json:"restarts"`       // in a row
	Code     int    `json:"code,omitempty"` // of the last run that has ended
}

// socketOrder is the body of what is posted to the socket.
type socketOrder struct {
	Port   uint16 `json:"port"`   // of the app; 0: all
	Weight *int   `json:"weight"` // for /v1/weight
}

// socketError is the body of every answer that is not 200.
type socketError struct {
	Message string `json:"error"`
	Remedy  string `json:"remedy,omitempty"`
}

// listenSocket makes the socket, in the place of one that nobody listens to any more. Its mode is 0660.
func listenSocket(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if conn, dialErr := net.DialTimeout("unix", path, socketTimeout); dialErr == nil {
			conn.Close()
			return nil, fmt.Errorf("agent: another agent listens on %s; give this one another --socket", path)
		} else if errors.Is(dialErr, syscall.ECONNREFUSED) && os.Remove(path) == nil {
			l, err = net.Listen("unix", path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("agent: socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("agent: socket: %w", err)
	}
	return netutil.LimitListener(l, maxSocketConns), nil
}

// control is what the socket can have the agent do.
type control interface {
	status(ctx context.Context) (Status, error)
	order(ctx context.Context, o socketOrder, drain *bool) error
	leave(ctx context.Context) error
}

// serveControl answers on l until ctx ends, and closes it.
func serveControl(ctx context.Context, l net.Listener, c control) {
	srv := &http.Server{
		Handler: socketRoutes(c), ReadHeaderTimeout: socketTimeout, ReadTimeout: socketTimeout, WriteTimeout: 2 * socketTimeout,
		IdleTimeout: 2 * socketTimeout, MaxHeaderBytes: 16 << 10,
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(closed); srv.Close() })
	_ = srv.Serve(l) // its error is the end
	if !stop() {
		<-closed
	}
}

func socketRoutes(c control) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), socketTimeout)
		defer cancel()
		s, err := c.status(ctx)
		if err != nil {
			say(w, http.StatusServiceUnavailable, socketError{Message: err.Error()})
			return
		}
		say(w, http.StatusOK, s)
	}
	take := func(drain *bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var o socketOrder
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSocketBody))
			if err == nil && len(body) > 0 {
				err = json.Unmarshal(body, &o)
			}
			if err == nil && drain == nil && o.Weight == nil {
				err = errors.New("no weight is given")
			}
			ctx, cancel := context.WithTimeout(r.Context(), socketTimeout)
			defer cancel()
			if err == nil {
				err = c.order(ctx, o, drain)
			}
			if err != nil {
				say(w, http.StatusBadRequest, socketError{err.Error(), `the body is {"port": 3000}, or nothing for all apps, and for /v1/weight {"weight": 1 to 256}`})
				return
			}
			answer(w, r)
		}
	}
	yes, no := true, false
	mux.HandleFunc("GET /v1/status", answer)
	mux.HandleFunc("POST /v1/weight", take(nil))
	mux.HandleFunc("POST /v1/drain", take(&yes))
	mux.HandleFunc("POST /v1/ready", take(&no))
	mux.HandleFunc("POST /v1/leave", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), socketTimeout)
		defer cancel()
		if err := c.leave(ctx); err != nil {
			say(w, http.StatusServiceUnavailable, socketError{Message: err.Error()})
			return
		}
		answer(w, r)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		say(w, http.StatusNotFound, socketError{fmt.Sprintf("no %s %s here", r.Method, r.URL.Path), "there is GET /v1/status, and POST /v1/weight, /v1/drain, /v1/ready and /v1/leave"})
	})
	return mux
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error here is a client that went away
}
