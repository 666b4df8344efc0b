//go:build !linux

package main

import "github.com/tandem-lb/tandem/internal/lab"

func run(options) (int, error) { return exitFailed, lab.Preflight() }
