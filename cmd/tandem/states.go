package main

import (
	"strings"
	"unicode"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

// alarm is how much a word of state wants to be looked at.
type alarm int

const (
	plain alarm = iota
	good
	look
	broken
)

var alarms = map[string]alarm{
	"active": good, "up": good, "alive": good, "ready": good,
	"init": look, "draining": look, "drain": look, "maint": look, "suspect": look, "unknown": look,
	"fault": broken, "down": broken, "failed": broken, "conflict": broken, "refused": broken,
}

// state paints words of state after the worst of them: what somebody sees down is not well.
func state(ink paint.Ink, words string) string {
	worst := plain
	for _, w := range strings.FieldsFunc(words, func(r rune) bool { return !unicode.IsLetter(r) }) {
		worst = max(worst, alarms[w])
	}
	return alarmed(ink, worst, words)
}

func alarmed(ink paint.Ink, a alarm, s string) string {
	switch a {
	case good:
		return ink.Green(s)
	case look:
		return ink.Yellow(s)
	case broken:
		return ink.Red(s)
	}
	return s
}

// counted paints a number of what should not be: 0 is plain.
func counted(ink paint.Ink, n uint64, s string) string {
	if n == 0 {
		return s
	}
	return ink.Red(s)
}

// safe paints whether a balancer can be rebooted.
func safe(ink paint.Ink, r api.Reboot) string {
	switch r.Safe {
	case api.RebootYes:
		return ink.Green(r.Safe)
	case api.RebootNo:
		return ink.Red(r.Safe)
	}
	return ink.Yellow(r.Safe)
}
