package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Entry is one thing that happened on a node. What does not belong to its kind is left out.
type Entry struct {
	Seq      uint64    `json:"seq"` // counts the entries of one node
	Time     time.Time `json:"time"`
	Node     string    `json:"node"`
	Kind     string    `json:"kind"`              // state, member, backend, order, process, reload or served
	Group    string    `json:"group,omitempty"`   // VIP group; of a backend: its pool
	Subject  string    `json:"subject,omitempty"` // the member, backend, process or order
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"`
	Reason   string    `json:"reason,omitempty"` // a stable word
	Peer     string    `json:"peer,omitempty"`
	Detail   string    `json:"detail,omitempty"` // for people
	Epoch    uint64    `json:"epoch,omitempty"`
	Who      string    `json:"who,omitempty"` // of an order: as the kernel says
	Evidence *Evidence `json:"evidence,omitempty"`
	Phases   *Phases   `json:"phases,omitempty"`
}

// Evidence is what a node knew when a group changed its state.
type Evidence struct {
	Silence     time.Duration  `json:"silence,omitempty"`    // since the peer was last heard
	Missed      int            `json:"missed,omitempty"`     // adverts due in that time
	Rounds      int            `json:"rounds,omitempty"`     // of queries in that silence
	Answers     map[string]int `json:"answers,omitempty"`    // to them, by path: direct, wire or relay
	Proof       bool           `json:"proof,omitempty"`      // this node's own reception was proven meanwhile
	Bare        bool           `json:"bare,omitempty"`       // nobody but balancers was heard on the segment of late
	Signals     []string       `json:"signals,omitempty"`    // for people
	Fitness     int            `json:"fitness"`              // of this node
	PeerFitness int            `json:"peer_fitness"`         // as the peer last said; -1: no peer
	PeerState   string         `json:"peer_state,omitempty"` // likewise
}

// Phases is how long each step of a claim took, by the clock of the one node.
type Phases struct {
	Detect   time.Duration `json:"detect,omitempty"`   // last heard → first query
	Decide   time.Duration `json:"decide,omitempty"`   // first query → claim begun
	Claim    time.Duration `json:"claim,omitempty"`    // claim begun → done
	Announce time.Duration `json:"announce,omitempty"` // → the first announcement has been sent
	Serve    time.Duration `json:"serve,omitempty"`    // claim done → the first request was served; in an entry of kind served
}

// Timeline is what happened on all balancers, or on one, as another could find it out.
type Timeline struct {
	Node    string         `json:"node"` // that answers
	At      time.Time      `json:"at"`
	Nodes   []NodeTimeline `json:"nodes"`   // whose entries these are
	Entries []Entry        `json:"entries"` // oldest first; times are by the clock of the node that answers
}

// NodeTimeline says where the entries of one balancer come from.
type NodeTimeline struct {
	Node    string        `json:"node"`
	Entries int           `json:"entries"`
	Age     time.Duration `json:"age"`             // of what it has told; 0: it was asked for this
	Error   string        `json:"error,omitempty"` // why there is nothing newer
	Cut     bool          `json:"cut,omitempty"`   // it has older ones that are not here
	// ClockOffset is how much its clock is ahead, and ClockExact how far off that may be, either
	// way; both are 0 for the node that answers, and for one that never did. Where the clocks may
	// be the same, its entries keep their times.
	ClockOffset time.Duration `json:"clock_offset"`
	ClockExact  time.Duration `json:"clock_exact"`
}

// Story is the last change of a group, or why a backend gets no requests, told as a person would.
type Story struct {
	Headline string         `json:"headline"`
	Events   []Entry        `json:"events"` // around it, oldest first
	Why      string         `json:"why"`
	Sure     []string       `json:"sure"`           // what speaks for it, and what was not known
	Took     []string       `json:"took,omitempty"` // the measured phases
	Next     []string       `json:"next"`           // what to look at
	Complete bool           `json:"complete"`       // the timeline reaches back far enough
	Nodes    []NodeTimeline `json:"nodes"`          // who has told of it
}

// TimelineQuery says which entries are wanted. What is zero does not restrict.
type TimelineQuery struct {
	Node  string    // only this balancer's
	Since time.Time // by the clock of each balancer
	Until time.Time // likewise; before it
	Kinds []string
	Group string
	After map[string]uint64 // of a balancer, only entries with a higher Seq
	Limit int               // the newest so many
}

func (q TimelineQuery) values() url.Values {
	v := url.Values{"kind": q.Kinds, "group": {q.Group}, "node": {q.Node}, "limit": {strconv.Itoa(q.Limit)}}
	for node, seq := range q.After {
		v.Add("after", node+":"+strconv.FormatUint(seq, 10))
	}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			v.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	return v
}

func timelineQuery(v url.Values) (q TimelineQuery, err error) {
	q.Kinds, q.Group, q.Node = v["kind"], v.Get("group"), v.Get("node")
	for name, into := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if s := v.Get(name); s != "" {
			if *into, err = time.Parse(time.RFC3339Nano, s); err != nil {
				return q, &Error{Message: fmt.Sprintf("%s %q is not a time", name, s), Remedy: "write it as RFC 3339: 2026-11-22T23:00:00Z"}
			}
		}
	}
	for _, s := range v["after"] {
		node, number, _ := strings.Cut(s, ":")
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return q, &Error{Message: fmt.Sprintf("after %q is not a balancer and a number", s), Remedy: "write NODE:SEQ, with the seq of an entry"}
		}
		if q.After == nil {
			q.After = make(map[string]uint64)
		}
		q.After[node] = seq
	}
	if s := v.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 0 {
			return q, &Error{Message: fmt.Sprintf("limit %q is not a number", s), Remedy: "leave it out for all"}
		}
	}
	return q, nil
}

// Timeline asks for what happened, on all balancers unless the query names one. One that does
// not answer costs 2 s, and is named in the answer.
func (c *Client) Timeline(ctx context.Context, q TimelineQuery) (Timeline, error) {
	var t Timeline
	return t, c.get(ctx, "/v1/timeline?"+q.values().Encode(), &t)
}

// Why asks for the story of the last change of a VIP or a group, "" for any, in the whole
// cluster or on one node; or why a backend, or those of a member, get no requests.
func (c *Client) Why(ctx context.Context, of, node string) (Story, error) {
	var s Story
	return s, c.get(ctx, "/v1/why?"+url.Values{"of": {of}, "node": {node}}.Encode(), &s)
}

func (s *Server) timelineRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/timeline", func(w http.ResponseWriter, r *http.Request) {
		q, err := timelineQuery(r.URL.Query())
		if err != nil {
			reply(w, http.StatusBadRequest, err)
			return
		}
		replyTo(w, r, func(ctx context.Context) (Timeline, error) { return s.Timeline(ctx, q) })
	})
	mux.HandleFunc("GET /v1/why", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		replyTo(w, r, func(ctx context.Context) (Story, error) { return s.Why(ctx, q.Get("of"), q.Get("node")) })
	})
}

type callerKey struct{}

// Caller is who gave the order that ctx belongs to, as [Server].Who said.
func Caller(ctx context.Context) string {
	who, _ := ctx.Value(callerKey{}).(string)
	return who
}

// WithCaller says who gave an order that did not come over the socket.
func WithCaller(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, callerKey{}, who)
}

// connContext asks once for each connection: a unix socket's other end never changes.
func (s *Server) connContext(ctx context.Context, c net.Conn) context.Context {
	if s.Who == nil {
		return ctx
	}
	return WithCaller(ctx, s.Who(c))
}
