package hook

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The events. Those about members have the names that Serf gives them.
const (
	MemberJoin   = "member-join"   // a member is there, and was not before
	MemberLeave  = "member-leave"  // it said goodbye
	MemberFailed = "member-failed" // it was found dead
	MemberUpdate = "member-update" // it is there still, and says something else of itself
	User         = "user"          // somebody told the cluster something: tandem event

	BackendUp   = "backend-up"   // of the proxy of this node
	BackendDown = "backend-down" // likewise

	PoolBelowMinimum = "pool-below-minimum" // the active node has fewer backends up than min_backends
	PoolMinimumMet   = "pool-minimum-met"   // and no longer

	Active   = "active" // a VIP group of this node changed its state to this
	Backup   = "backup"
	Draining = "draining"
	Fault    = "fault"

	Conflict = "conflict" // two claim one VIP, or one name
)

// Names are all events.
var Names = []string{
	MemberJoin, MemberLeave, MemberFailed, MemberUpdate, User, BackendUp, BackendDown,
	PoolBelowMinimum, PoolMinimumMet, Active, Backup, Draining, Fault, Conflict,
}

// SerfNames are those that Serf has too.
var SerfNames = []string{MemberJoin, MemberLeave, MemberFailed, MemberUpdate, User}

// Event is one thing that happened. What does not belong to it is left out.
type Event struct {
	Name   string    `json:"event"`
	Seq    uint64    `json:"seq,omitempty"` // counts the events of one control process
	Time   time.Time `json:"time"`
	Node   string    `json:"node"`   // the balancer that saw it
	Active bool      `json:"active"` // which was the active one then

	Members []Member `json:"members,omitempty"` // member-…, conflict of a name; at most MaxMembers

	Pool    string         `json:"pool,omitempty"`
	Backend string         `json:"backend,omitempty"`
	Addr    netip.AddrPort `json:"address,omitzero"` // of the backend
	*Shortage

	Group  string       `json:"group,omitempty"`
	VIPs   []netip.Addr `json:"vips,omitempty"`
	From   string       `json:"from,omitempty"`   // the state before
	Reason string       `json:"reason,omitempty"` // a stable word, or what the check said
	Peer   string       `json:"peer,omitempty"`
	Epoch  uint64       `json:"epoch,omitempty"`
	Detail string       `json:"detail,omitempty"` // for people

	UserEvent string `json:"name,omitempty"`
	Payload   []byte `json:"payload,omitempty"` // base64
	Sender    string `json:"sender,omitempty"`  // the member that it was given to
}

// Shortage is how many backends of a pool are up, against how many should be.
type Shortage struct {
	Wanted  int `json:"wanted"` // min_backends
	Up      int `json:"up"`
	Missing int `json:"missing"` // 0 when the minimum is met
}

// Member is a member as its event found it.
type Member struct {
	Name string            `json:"name"`
	Role string            `json:"role"`    // balancer or agent
	Addr netip.AddrPort    `json:"address"` // where it gossips
	Apps []App             `json:"apps,omitempty"`
	Tags map[string]string `json:"tags,omitempty"`
}

// App is one app of an agent.
type App struct {
	Pool   string         `json:"pool"`
	Addr   netip.AddrPort `json:"address,omitzero"` // where it listens; none while it is not announced
	Weight int            `json:"weight"`
	Drain  bool           `json:"drain,omitempty"`
}

// Format is the form in which a program is told of an event.
type Format string

// The formats.
const (
	JSON Format = "json"
	Serf Format = "serf"
)

// Self is how a node calls itself in Serf's form.
type Self struct {
	Name string
	Tags map[string]string // the tag role is SERF_SELF_ROLE; "lb" without it
}

// Input is what a program gets: the environment, but for PATH, and its standard input.
type Input struct {
	Env   []string
	Stdin []byte
}

// Input puts an event into a format.
func (e Event) Input(f Format, self Self) (Input, error) {
	if f == Serf {
		return e.serf(self)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return Input{}, fmt.Errorf("hook: %w", err)
	}
	return Input{Env: e.env(), Stdin: append(body, '\n')}, nil
}

// env holds the essentials, for a program that would rather not read JSON.
func (e Event) env() []string {
	env := []string{
		"TANDEM_EVENT=" + e.Name, "TANDEM_NODE=" + e.Node, "TANDEM_TIME=" + e.Time.UTC().Format(time.RFC3339Nano),
		"TANDEM_ACTIVE=" + strconv.FormatBool(e.Active),
	}
	add := func(name, value string) {
		if value != "" {
			env = append(env, "TANDEM_"+name+"="+value)
		}
	}
	var members, vips []string
	for _, m := range e.Members {
		members = append(members, m.Name)
	}
	for _, a := range e.VIPs {
		vips = append(vips, a.String())
	}
	add("MEMBERS", strings.Join(members, " "))
	add("POOL", e.Pool)
	add("BACKEND", e.Backend)
	if e.Addr.IsValid() {
		add("ADDRESS", e.Addr.String())
	}
	if s := e.Shortage; s != nil {
		add("WANTED", strconv.Itoa(s.Wanted))
		add("UP", strconv.Itoa(s.Up))
		add("MISSING", strconv.Itoa(s.Missing))
	}
	add("GROUP", e.Group)
	add("VIPS", strings.Join(vips, " "))
	add("FROM", e.From)
	add("REASON", e.Reason)
	add("PEER", e.Peer)
	if e.Epoch > 0 {
		add("EPOCH", strconv.FormatUint(e.Epoch, 10))
	}
	add("USER_EVENT", e.UserEvent)
	add("SENDER", e.Sender)
	return clean(env)
}

// clean takes out what the kernel would end a variable at: no name on the wire holds it,
// but a program must not be kept from running by a text of the proxy's or the keeper's.
func clean(env []string) []string {
	for i, v := range env {
		env[i] = strings.ReplaceAll(v, "\x00", "")
	}
	return env
}

// MaxMembers bounds the members that one event names.
const MaxMembers = 256

// memberEvents are those that are merged when they wait.
var memberEvents = []string{MemberJoin, MemberLeave, MemberFailed, MemberUpdate}

// merge takes a later event into e, if both together say the same as one after the other.
func (e *Event) merge(later Event) bool {
	switch {
	case e.Name != later.Name || e.Node != later.Node:
		return false
	case e.Name == PoolBelowMinimum && e.Pool == later.Pool:
		*e = later
		return true
	case !slices.Contains(memberEvents, e.Name):
		return false
	}
	all := slices.Clone(e.Members) // the slice may be another hook's as well
	for _, m := range later.Members {
		if i := slices.IndexFunc(all, func(old Member) bool { return old.Name == m.Name }); i >= 0 {
			all[i] = m
		} else {
			all = append(all, m)
		}
	}
	if len(all) > MaxMembers {
		return false
	}
	seq, at, active := later.Seq, later.Time, later.Active
	e.Members, e.Seq, e.Time, e.Active = all, seq, at, active
	return true
}
