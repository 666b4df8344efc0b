//go:build !linux

package main

import "github.com/tandem-lb/tandem/internal/lab"

func proxyMain([]string) int {
	return exitWith(lab.Preflight())
}

func proxyChild([]string) bool { return false }
