package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tokenHeader carries the admin token. A page from elsewhere cannot set it: the browser would
// ask this server first, which never says yes.
const tokenHeader = "Tandem-Token"

const (
	maxOrder     = 4 << 10 // bytes of an order
	orderTimeout = 30 * time.Second
	// wrongEvery is how often at most a wrong token is logged.
	wrongEvery = 10 * time.Second
)

// The orders that may be given from the page.
const (
	DoNothing  = "nothing" // only says whether the token is right
	DoDrain    = "drain"   // of a backend, as the following three
	DoMaint    = "maint"
	DoReady    = "ready"
	DoWeight   = "weight"
	DoHandover = "handover"
	DoMaintOn  = "maint on" // of a balancer, as the following
	DoMaintOff = "maint off"
)

// Order is what somebody who holds the token wants.
type Order struct {
	Do      string `json:"do"`
	Backend string `json:"backend,omitempty"` // POOL/NAME
	Weight  int    `json:"weight,omitempty"`  // 1 to 256; 0: its own
	Group   string `json:"group,omitempty"`   // of a handover; "": all
	To      string `json:"to,omitempty"`      // a balancer: of a handover, "": the best one; of maintenance, "": the one that serves the page
}

// Admin lets those who hold a token give orders.
type Admin struct {
	// Tokens returns the SHA-256 of each token that is accepted now; none: the page is read-only.
	Tokens func() [][]byte
	// Carry carries an order out and says what was done; who is where it came from. Its error is
	// shown as it is.
	Carry func(ctx context.Context, who string, o Order) (string, error)
	Log   *slog.Logger
}

// desk is an Admin at work.
type desk struct {
	Admin
	foreign *http.CrossOriginProtection

	mu    sync.Mutex // protects what follows
	wrong int        // tokens since the last word in the log
	said  time.Time
}

func newDesk(a Admin) *desk { return &desk{Admin: a, foreign: http.NewCrossOriginProtection()} }

func (d *desk) enabled() bool { return d.Tokens != nil && len(d.Tokens()) > 0 }

// state tells the page whether there is anything to sign in to.
func (d *desk) state(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]bool{"admin": d.enabled()})
}

// order carries one out. What does not come from this page itself, or without the token, is
// refused before it is read.
func (d *desk) order(w http.ResponseWriter, r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case !d.enabled():
		refuse(w, http.StatusForbidden, "this page is read-only; [control] admin_token_file lets it give orders")
		return
	case d.foreign.Check(r) != nil:
		refuse(w, http.StatusForbidden, "orders are taken from this page alone")
		return
	case kind != "application/json":
		refuse(w, http.StatusUnsupportedMediaType, "orders are JSON")
		return
	case !d.knows(r.Header.Get(tokenHeader)):
		d.noteWrong(r.RemoteAddr)
		refuse(w, http.StatusUnauthorized, "this is not the admin token")
		return
	}
	o, err := readOrder(http.MaxBytesReader(w, r.Body, maxOrder))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	done := ""
	if o.Do != DoNothing {
		ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
		defer cancel()
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(orderTimeout + writeTimeout)); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		if done, err = d.Carry(ctx, "status page, from "+host(r.RemoteAddr), o); err != nil {
			refuse(w, http.StatusConflict, err.Error())
			return
		}
	}
	answer(w, http.StatusOK, map[string]string{"message": done})
}

// knows says whether a token is one of those accepted, in a time that does not tell how much of
// it is right.
func (d *desk) knows(token string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	sum := sha256.Sum256(key)
	known := 0
	for _, t := range d.Tokens() {
		known |= subtle.ConstantTimeCompare(t, sum[:])
	}
	return known == 1 && err == nil && len(key) > 0
}

// noteWrong logs that somebody tried, now and then.
func (d *desk) noteWrong(from string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrong++
	if now := time.Now(); now.Sub(d.said) >= wrongEvery {
		d.Log.Warn("an order from the status page came with a wrong token", "from", from, "times", d.wrong)
		d.wrong, d.said = 0, now
	}
}

var errOrder = errors.New("this is no order: want do, and a backend, weight, group or to where it needs one")

func readOrder(r io.Reader) (o Order, err error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if dec.Decode(&o) != nil || dec.Decode(new(struct{})) != io.EOF {
		return o, errOrder
	}
	switch o.Do {
	case DoNothing, DoHandover, DoMaintOn, DoMaintOff:
		if o.Backend != "" {
			return o, errOrder
		}
	case DoDrain, DoMaint, DoReady, DoWeight:
		if o.Backend == "" {
			return o, errOrder
		}
	default:
		return o, errOrder
	}
	return o, nil
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error is a browser that went away
}
