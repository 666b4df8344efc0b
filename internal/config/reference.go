package config

import _ "embed"

// Reference is a configuration file that holds and explains every key, with
// unit, bounds and default. It parses, given the two key files it names.
//
//go:embed reference.toml
var Reference string
