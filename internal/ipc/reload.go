package ipc

import (
	"reflect"
	"slices"
	"strings"
)

// A reload brings another configuration into effect, in all processes or in none. The keeper
// asks one after the other to get ready, and only when all are tells them to do it:
//
//	keeper → proxy     Prepare   checks all, adds new pools beside those it has
//	keeper → runners   Prepare   know what they may run then; one of a user that had none is started
//	keeper → control   Prepare   checks all, has the runners try templates that are different,
//	                             tells the proxy of the new pools' backends, which get no
//	                             request yet
//	proxy  → keeper    Warm      has checked those
//	keeper → all       Commit    or Abort
//
// Until Commit everything goes on as before; a process that dies meanwhile ends the reload.
// One that dies after it begins anew with the new configuration.

// Reload is an operator's wish: the keeper loads its configuration again. It answers with an
// [Outcome] of the same ID.
type Reload struct {
	ID     uint64 `json:"id"`
	DryRun bool   `json:"dry_run,omitempty"` // only tells what would change
}

// Change is one difference between the configuration in effect and the loaded one.
type Change struct {
	Key  string `json:"key"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	What string `json:"what"`
	Live bool   `json:"live"`
	Text string `json:"text"` // all of it, as a line for people
}

// Prepare tells a child what it will be told to be: the message that it would be started
// with. To a proxy come with it the listening sockets of those frontends whose Listen is new,
// Loops of them each, in the order of Frontends. The child answers with [Prepared].
type Prepare struct {
	ID      uint64        `json:"id"`
	Control *ControlStart `json:"control,omitempty"`
	Proxy   *ProxyStart   `json:"proxy,omitempty"`
	Runner  *RunnerStart  `json:"runner,omitempty"`
}

// Prepared answers [Prepare].
type Prepared struct {
	ID    uint64 `json:"id"`
	Error string `json:"error,omitempty"` // why it cannot be, and that nothing has changed
}

// Warm says that a proxy has checked once every backend that the reload brings, or has waited
// for that long enough.
type Warm struct {
	ID uint64 `json:"id"`
}

// Commit tells a child to be what it was prepared for. It answers with [Committed], but for a
// runner, which cannot fail.
type Commit struct {
	ID uint64 `json:"id"`
}

// Committed answers [Commit].
type Committed struct {
	ID    uint64 `json:"id"`
	Error string `json:"error,omitempty"` // it must be started anew
}

// Abort tells a child that all stays as it was.
type Abort struct {
	ID uint64 `json:"id"`
}

// Reloaded tells control what came of a reload, whoever asked for it.
type Reloaded struct {
	Error   string   `json:"error,omitempty"` // why nothing has changed
	Changes []Change `json:"changes"`
}

// Fixed names the first thing that differs in next and cannot change while the proxy runs;
// "" if all can. A new field is fixed until the proxy brings it into effect and it is named here.
func (s *ProxyStart) Fixed(next *ProxyStart) string {
	return fixed(s, next, "OrphanTime", "Frontends", "Pools", "LogLevel", "LogFile")
}

// Fixed does the same for control.
func (s *ControlStart) Fixed(next *ControlStart) string {
	return fixed(s, next, "Join", "Pools", "LogLevel", "ConfigHash", "GossipKeys", "ProofKey", "ProvenBy", "Near", "Routes", "StatusHosts", "AdminTokens", "Programs", "Hooks", "Templates")
}

// fixed compares all fields of two structs but the live ones, and returns the key of one that differs.
func fixed(was, is any, live ...string) string {
	a, b := reflect.ValueOf(was).Elem(), reflect.ValueOf(is).Elem()
	for i := range a.NumField() {
		f := a.Type().Field(i)
		if !slices.Contains(live, f.Name) && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return key
		}
	}
	return ""
}

func newReloadMessage(k Kind) Message {
	switch k {
	case kindReload:
		return new(Reload)
	case kindPrepare:
		return new(Prepare)
	case kindPrepared:
		return new(Prepared)
	case kindWarm:
		return new(Warm)
	case kindCommit:
		return new(Commit)
	case kindCommitted:
		return new(Committed)
	case kindAbort:
		return new(Abort)
	case kindReloaded:
		return new(Reloaded)
	}
	return nil
}

func (*Reload) kind() Kind    { return kindReload }
func (*Prepare) kind() Kind   { return kindPrepare }
func (*Prepared) kind() Kind  { return kindPrepared }
func (*Warm) kind() Kind      { return kindWarm }
func (*Commit) kind() Kind    { return kindCommit }
func (*Committed) kind() Kind { return kindCommitted }
func (*Abort) kind() Kind     { return kindAbort }
func (*Reloaded) kind() Kind  { return kindReloaded }
