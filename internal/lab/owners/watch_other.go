//go:build !linux

package owners

import (
	"context"
	"errors"
)

var errLinux = errors.New("owners: watching needs Linux (AF_PACKET, netlink)")

// Run needs Linux.
func (w *Watch) Run(context.Context) error { return errLinux }

// Follow needs Linux.
func (w *Watch) Follow(context.Context, Host) error { return errLinux }
