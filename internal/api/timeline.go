package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Entry is one thing that happened on a node. What does not belong to its kind is left out.
type Entry struct {
	Seq      uint64    `json:"seq"` // counts the entries of one node
	Time     time.Time `json:"time"`
	Node     string    `json:"node"`
	Kind     string    `json:"kind"`              // state, member, backend, order, process or reload
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
}

// Story is the last change of a group, told as a person would.
type Story struct {
	Headline string   `json:"headline"`
	Events   []Entry  `json:"events"` // around it, oldest first
	Why      string   `json:"why"`
	Sure     []string `json:"sure"`           // what speaks for it, and what was not known
	Took     []string `json:"took,omitempty"` // the measured phases
	Next     []string `json:"next"`           // what to look at
	Complete bool     `json:"complete"`       // the timeline reaches back far enough
}

// TimelineQuery says which entries are wanted. What is zero does not restrict.
type TimelineQuery struct {
	Since time.Time
	Kinds []string
	Group string
	After uint64 // only entries with a higher Seq
	Limit int    // the newest so many
}

func (q TimelineQuery) values() url.Values {
	v := url.Values{"kind": q.Kinds, "group": {q.Group}, "after": {strconv.FormatUint(q.After, 10)}, "limit": {strconv.Itoa(q.Limit)}}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	return v
}

func timelineQuery(v url.Values) (q TimelineQuery, err error) {
	q.Kinds, q.Group = v["kind"], v.Get("group")
	if s := v.Get("since"); s != "" {
		if q.Since, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return q, &Error{Message: fmt.Sprintf("since %q is not a time", s), Remedy: "write it as RFC 3339: 2026-11-22T23:00:00Z"}
		}
	}
	if s := v.Get("after"); s != "" {
		if q.After, err = strconv.ParseUint(s, 10, 64); err != nil {
			return q, &Error{Message: fmt.Sprintf("after %q is not a number", s), Remedy: "take the seq of an entry"}
		}
	}
	if s := v.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 0 {
			return q, &Error{Message: fmt.Sprintf("limit %q is not a number", s), Remedy: "leave it out for all"}
		}
	}
	return q, nil
}

// Timeline asks for what happened on the node, oldest first.
func (c *Client) Timeline(ctx context.Context, q TimelineQuery) ([]Entry, error) {
	var e []Entry
	return e, c.get(ctx, "/v1/timeline?"+q.values().Encode(), &e)
}

// Why asks for the story of the last change of a VIP or a group, "" for any.
func (c *Client) Why(ctx context.Context, of string) (Story, error) {
	var s Story
	return s, c.get(ctx, "/v1/why?"+url.Values{"of": {of}}.Encode(), &s)
}

func (s *Server) timelineRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/timeline", func(w http.ResponseWriter, r *http.Request) {
		q, err := timelineQuery(r.URL.Query())
		if err != nil {
			reply(w, http.StatusBadRequest, err)
			return
		}
		reply(w, http.StatusOK, s.Timeline(q))
	})
	mux.HandleFunc("GET /v1/why", func(w http.ResponseWriter, r *http.Request) {
		story, err := s.Why(r.URL.Query().Get("of"))
		if err != nil {
			reply(w, http.StatusNotFound, err)
			return
		}
		reply(w, http.StatusOK, story)
	})
}

type callerKey struct{}

// Caller is who gave the order that ctx belongs to, as [Server].Who said.
func Caller(ctx context.Context) string {
	who, _ := ctx.Value(callerKey{}).(string)
	return who
}

// connContext asks once for each connection: a unix socket's other end never changes.
func (s *Server) connContext(ctx context.Context, c net.Conn) context.Context {
	if s.Who == nil {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, s.Who(c))
}
