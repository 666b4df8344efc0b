// Package importer turns haproxy.cfg and keepalived.conf into a configuration of Tandem, and
// reports of each line whether it was taken, changed or left, and why.
//
// What comes out always passes 'tandem check': it is parsed by package config, and what does
// not pass there (an address that two frontends want, a timeout out of bounds) is left out
// again and reported, until the rest does. Nothing is guessed that could send traffic
// elsewhere than before: what has no counterpart is left, never approximated in silence.
//
//	haproxy.cfg, keepalived.conf ──► directives with their lines ──► blocks of TOML with the
//	lines that they come from ──► checked, repaired ──► text and report
package importer
