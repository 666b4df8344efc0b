//go:build !linux

package lbcore

import (
	"context"
	"errors"
	"sync/atomic"
)

// upstreams is Linux's.
type upstreams struct{}

// engine is Linux's: New fails elsewhere, so nothing below is ever called.
type engine struct{}

func newEngine(Config, *atomic.Bool, *logSink) (*engine, error) {
	return nil, errors.New("lbcore needs Linux (epoll); run it on a Linux host, in a VM or a container")
}

func (*engine) run(context.Context) error           { return nil }
func (*engine) setListeners([]listenerConfig) error { return nil }
func (*engine) backendDown(*Backend)                {}
func (*engine) callWaiting(*Pool)                   {}
func (*engine) room(*frontend)                      {}
func (*engine) setAccepting(bool)                   {}
func (*engine) leave()                              {}
func (*engine) connections() ConnCounts             { return ConnCounts{} }
