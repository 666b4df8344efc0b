//go:build !linux

package main

import "github.com/tandem-lb/tandem/internal/lab"

func handoverMain([]string) int { return exitWith(lab.Preflight()) }

func appsMain([]string) int { return exitWith(lab.Preflight()) }

func membershipMain([]string) int { return exitWith(lab.Preflight()) }

func crowdChild([]string) bool { return false }
