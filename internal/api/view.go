package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// Cluster is what one balancer knows of all balancers.
type Cluster struct {
	Node  string     `json:"node"` // that answers
	At    time.Time  `json:"at"`
	Nodes []NodeView `json:"nodes"` // by name, the answering one included
}

// NodeView is one balancer, as it said itself some time ago.
type NodeView struct {
	Node   string         `json:"node"`
	Addr   netip.AddrPort `json:"addr"`            // of its gossip
	Member string         `json:"member"`          // alive, suspect, failed or left, as gossip says
	Age    time.Duration  `json:"age"`             // of Status, by the answering node's clock; 0 for that node itself
	Error  string         `json:"error,omitempty"` // why there is nothing newer
	Status *Status        `json:"status,omitempty"`
	Newest []Entry        `json:"newest,omitempty"` // of its timeline, oldest first, at most 50
	// ClockOffset is how much its clock is ahead of the answering node's, and ClockExact how far
	// off that may be, either way; both 0: not known, or the answering node itself.
	ClockOffset time.Duration `json:"clock_offset"`
	ClockExact  time.Duration `json:"clock_exact"`
	// Reboot says whether the node can be taken away now, as the answering node sees it.
	Reboot Reboot `json:"reboot"`
}

// How a node can be taken away.
const (
	RebootYes      = "yes"
	RebootHandover = "after a handover" // which a stop in good order does by itself
	RebootNo       = "no"
)

// Reboot says whether a node can be rebooted, and what that costs.
type Reboot struct {
	Safe  string `json:"safe"`            // RebootYes, RebootHandover or RebootNo
	Why   string `json:"why"`             // as a sentence
	First string `json:"first,omitempty"` // what to do before
}

// StaleAfter is how long a node is believed to be in the state that it last reported.
const StaleAfter = 3 * time.Second

// Heard says whether what is known of the node is fresh enough to be believed.
func (v NodeView) Heard() bool {
	return v.Status != nil && v.Age <= StaleAfter && v.Status.KeeperAge <= StaleAfter && v.Member != "failed" && v.Member != "left"
}

// StateOf is the state of a group of a node, as far as it can be believed: "unknown" of a node
// that is not heard of, and of one that was active when it last said a word, if another has
// claimed the group since.
func (c Cluster) StateOf(v NodeView, g Group) string {
	if !v.Heard() {
		return "unknown"
	}
	word := v.Age + v.Status.KeeperAge
	for _, o := range c.Nodes {
		if g.State != "active" || o.Node == v.Node || !o.Heard() {
			continue
		}
		for _, og := range o.Status.Groups {
			claimed := o.Age + o.Status.At.Sub(og.Since)
			if og.Name == g.Name && og.State == "active" && og.Epoch > g.Epoch && claimed < word {
				return "unknown"
			}
		}
	}
	return g.State
}

// Hearsay is who is active in a group by another one's word: the node that is active does not tell
// its status, but its keeper is heard.
type Hearsay struct {
	Active string
	By     string // who hears it
	Path   string // by which its answers come while its adverts do not; "": by its adverts
}

// String says it as a clause.
func (h Hearsay) String() string {
	if h.Path == "" {
		return fmt.Sprintf("%s is active, as %s hears from its adverts", h.Active, h.By)
	}
	return fmt.Sprintf("%s is active, as its answers say that reach %s by %s while its adverts do not", h.Active, h.By, h.Path)
}

// HeardActive is that, where no node says of itself that it is active.
func (c Cluster) HeardActive(group string) (h Hearsay, ok bool) {
	for _, v := range c.Nodes {
		if !v.Heard() {
			continue
		}
		for _, g := range v.Status.Groups {
			if g.Name == group && g.Active != "" && g.Active != v.Node {
				h, ok = Hearsay{g.Active, v.Node, g.Degraded}, true
			}
		}
	}
	if o, known := c.Find(h.Active); ok && known && o.Heard() {
		return Hearsay{}, false // it says itself what it is
	}
	return h, ok
}

// Find returns the view of one balancer by its name, and whether there is one.
func (c Cluster) Find(node string) (NodeView, bool) {
	for _, v := range c.Nodes {
		if v.Node == node {
			return v, true
		}
	}
	return NodeView{}, false
}

// Cluster asks for what the balancer knows of all balancers. It asks those whose word is
// older than a second, and waits a moment for them.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	var v Cluster
	return v, c.get(ctx, "/v1/cluster", &v)
}

func (s *Server) clusterRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/cluster", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusOK, s.Cluster(r.Context()))
	})
}
