package lbcore

import (
	"context"
	"errors"
)

type idleConns struct{}

type engine struct{}

func newEngine(Config) (*engine, error)             { return &engine{}, nil }
func (*engine) run(ctx context.Context) error       { <-ctx.Done(); return nil }
func (*engine) setListeners([]listenerConfig) error { return errors.ErrUnsupported }
func (*engine) backendDown(*Backend)                {}
