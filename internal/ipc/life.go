package ipc

import "time"

// What a proxy is told about its life, and what becomes of it: draining, replacement in
// place, and adoption by a new keeper.

// Drain tells a proxy to make its connections end: After from now each next answer carries
// Connection: close. New connections are still taken (stale neighbour caches bring them),
// and an idle one is never closed under its client's next request. Sent again, it counts
// anew; [Resume] undoes it.
type Drain struct {
	After time.Duration `json:"after"`
}

// Resume undoes [Drain].
type Resume struct{}

// Serve tells a proxy to read its listening sockets, which it then says with [Ready]. With
// it comes one descriptor: the meeting socket, at which a later keeper finds it (see
// [Orphan]). It follows [ProxyStart] at once, or when the proxy that it replaces is no
// better than this one any more.
type Serve struct{}

// Retire tells a proxy that its successor serves: it leaves the listening sockets to that
// one, makes its connections end as with [Drain], and ends when the last one is closed, or
// after Grace.
type Retire struct {
	Grace time.Duration `json:"grace"`
}

// Clients is a proxy's running count of connections from clients, for the keeper: sent when
// it has changed, at most ten times a second while it drains and once a second otherwise.
type Clients struct {
	Total    int64 `json:"total"`     // all of them, idle ones included
	InFlight int64 `json:"in_flight"` // of these, with a request under way
	Tunnels  int64 `json:"tunnels"`   // of these, upgraded: they end when either side ends them
	Draining bool  `json:"draining"`  // its answers carry Connection: close
}

// AwaitFirst asks a proxy for its first answer from now on, since this node has just got a VIP. It is
// never sent to a proxy of another build.
type AwaitFirst struct {
	Group string `json:"group"`
	Epoch uint64 `json:"epoch"`
}

// FirstServed says when that was. Where nobody asks for anything for long, it is not said.
type FirstServed struct {
	AwaitFirst
	After time.Duration `json:"after"`
}

// Orphan is the first message of a proxy whose keeper is gone to the one that came to the
// meeting socket: who it is, and how it was started. With it come all descriptors that it
// was started with, in the order of [ProxyStart], and then the meeting socket.
type Orphan struct {
	Build   string     `json:"build"` // of its binary: see [Build]
	Start   ProxyStart `json:"start"`
	Since   time.Time  `json:"since"` // its own start
	State   ProxyState `json:"state"` // without the lists
	Clients Clients    `json:"clients"`
}

// ReplaceProxy is an operator's wish: a new proxy process takes the place of the one that
// serves, which drains. The keeper answers with an [Outcome] of the same ID.
type ReplaceProxy struct {
	ID uint64 `json:"id"`
}

// HandOver is an operator's wish: the VIPs of a group move to another node without loss. The
// keeper answers with an [Outcome] of the same ID.
type HandOver struct {
	ID    uint64 `json:"id"`
	Group string `json:"group,omitempty"` // empty: all groups
	To    string `json:"to,omitempty"`    // a node; empty: the best
}

// Maintain takes this node out of service, or back. VIPs that it has are handed over first. The
// keeper answers with an [Outcome] of the same ID.
type Maintain struct {
	ID uint64 `json:"id"`
	On bool   `json:"on"`
}

// Outcome ends an order that control has passed on to the keeper.
type Outcome struct {
	ID      uint64 `json:"id"`
	Message string `json:"message"`          // what was done, as a sentence
	Error   string `json:"error,omitempty"`  // why it was not
	Remedy  string `json:"remedy,omitempty"` // and what to do about it

	Changes []Change `json:"changes,omitempty"` // of a reload
}

func newLifeMessage(k Kind) Message {
	switch k {
	case kindServe:
		return new(Serve)
	case kindDrain:
		return new(Drain)
	case kindResume:
		return new(Resume)
	case kindRetire:
		return new(Retire)
	case kindClients:
		return new(Clients)
	case kindOrphan:
		return new(Orphan)
	case kindRecheck:
		return new(Recheck)
	case kindAccessLog:
		return new(AccessLog)
	case kindAwaitFirst:
		return new(AwaitFirst)
	case kindFirstServed:
		return new(FirstServed)
	}
	return newReloadMessage(k)
}

func (*Serve) kind() Kind        { return kindServe }
func (*Drain) kind() Kind        { return kindDrain }
func (*Resume) kind() Kind       { return kindResume }
func (*Retire) kind() Kind       { return kindRetire }
func (*Clients) kind() Kind      { return kindClients }
func (*Orphan) kind() Kind       { return kindOrphan }
func (*ReplaceProxy) kind() Kind { return kindReplaceProxy }
func (*HandOver) kind() Kind     { return kindHandOver }
func (*Maintain) kind() Kind     { return kindMaintain }
func (*AwaitFirst) kind() Kind   { return kindAwaitFirst }
func (*FirstServed) kind() Kind  { return kindFirstServed }
func (*Outcome) kind() Kind      { return kindOutcome }
