//go:build !linux

package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

var errNeedsLinux = fmt.Errorf("vip: holding a VIP needs Linux, and this is %s: run it in a Linux VM or container: %w",
	runtime.GOOS, errors.ErrUnsupported)

// OpenLink needs Linux.
func OpenLink(Interface) (Link, error) { return nil, errNeedsLinux }

// OpenWire needs Linux.
func OpenWire(Interface) (Wire, error) { return nil, errNeedsLinux }

// OpenMuter needs Linux.
func OpenMuter(Interface, string, ...netip.Addr) (Muter, error) { return nil, errNeedsLinux }

// ReleaseAll needs Linux.
func ReleaseAll(context.Context, ...netip.Addr) ([]string, error) { return nil, errNeedsLinux }
