//go:build !linux

package main

import "github.com/tandem-lb/tandem/internal/lab"

const dockerClientArg = "docker-client"

func dockerMain([]string) int { return exitWith(lab.Preflight()) }

func dockerClientMain(string) error { return lab.Preflight() }
