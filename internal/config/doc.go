// Package config turns one TOML file, identical on all balancers, or a handful
// of flags into checked values.
//
// It promises that a [Config] is whole: each value within its bounds, each
// name it mentions defined, contradictions refused. A bad value is never
// replaced by a default. What is wrong is reported all at once, as [Errors]:
// each with its line, a caret below the place, and a remedy.
//
//	cfg, err := config.Load("/etc/tandem/tandem.toml")
//	if err == nil {
//		err = cfg.Apply(config.Overrides{Priority: "150"})
//	}
//	var errs config.Errors
//	if errors.As(err, &errs) { … } // err prints well by itself
//
// The way of a value: the file's text (source.go) → a tree of nodes with their
// places (tree.go, syntax.go) → the raw types, whose tags are the schema
// (raw.go, bind.go) → the checked types (config.go, check*.go). Flags make the
// same tree, so that both ways share each check. go-toml reads the syntax;
// binding is done here, because its decoder stops at the first value of a
// wrong type and forgets the places of values that are only contradictory.
//
// A syntax error on a line with a key and its value is stepped over, so that
// the rest is still checked; any other one ends the reading.
//
// [Reference] explains every key. Static backends are addresses: host names
// are refused there, because the file must mean the same on all balancers and
// at each start, also while the name server is down.
//
// The package imports nothing of ours, starts no goroutine and keeps nothing.
package config
