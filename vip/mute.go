package vip

import (
	"context"
	"net/netip"
)

// Muter keeps this node's kernel silent about a group's addresses, so that only a
// Claimer that lives, holds them and passes its gate answers for them. Whoever is dead,
// hung or frozen has let go of the addresses then, though they are still on its interface.
//
// All methods may be called from any goroutine and take at most a few seconds.
type Muter interface {
	// Mute makes the kernel silent, or sees that it is. It takes over what a crashed
	// run left, in one step: there is no moment in between at which the kernel answers.
	// What this kernel cannot do, or this process may not, is no error: State tells.
	// It is [ErrNotOurs] if another living process mutes the same group.
	Mute(ctx context.Context) error
	// State says what is in force, without asking the kernel.
	State() MuteState
	// Run puts back within milliseconds what something else removed, until ctx ends
	// (nil) or the Muter is closed ([ErrClosed]). At most one Run per Muter.
	Run(ctx context.Context) error
	// Unmute lets the kernel answer again: the orderly end. Twice is no error.
	Unmute(ctx context.Context) error
	// Close closes the sockets. What is in force stays in force, for the next run to
	// take over: this is how a crash leaves it, too.
	Close() error
}

// MuteState is what a Muter has achieved, by address family.
type MuteState struct {
	IPv4, IPv6 Muting
}

// of returns the part for the address's family.
func (s MuteState) of(a netip.Addr) Muting {
	if a.Is4() {
		return s.IPv4
	}
	return s.IPv6
}

// Muting is what a Muter has achieved for one family.
type Muting struct {
	InForce    bool   // the kernel is silent now
	Owned      bool   // no other process can undo it, nor can nft flush ruleset
	Persistent bool   // it outlives this process
	Restored   uint64 // how often it was put back after something else removed it
	Err        error  // why it is not in force, or why only by a weaker means
}

// Mode says who answers for the addresses of one family.
type Mode int

// The modes.
const (
	// ModeNone: the group has no address of this family.
	ModeNone Mode = iota
	// ModeLease: the kernel answers for what is on the interface; a dead owner lets go
	// when the short lease ends.
	ModeLease
	// ModeKeeper: the kernel is mute and the Claimer answers; a dead owner lets go at once.
	ModeKeeper
	// ModeHook: nobody answers; Config.Mover has the addresses routed here.
	ModeHook
)

// String returns the mode's word for status and logs.
func (m Mode) String() string {
	switch m {
	case ModeLease:
		return "lease-only"
	case ModeKeeper:
		return "keeper"
	case ModeHook:
		return "hook"
	}
	return "none"
}
