// Package config turns one TOML file, identical on all balancers, or a handful
// of flags into checked values.
package config
