package config

import "fmt"

func (c *checker) track(name string, raw *rawTrack) Track {
	c.name(text{V: name, Set: true, At: raw.Key}, "the track's name")
	t := Track{
		Name: name, Command: words(raw.Command), Interval: raw.Interval.V, Timeout: raw.Timeout.V,
		Rise: raw.Rise.V, Fall: raw.Fall.V, Weight: raw.Weight.V,
	}
	switch {
	case raw.Command.Bad:
	case len(t.Command) == 0:
		c.add(raw.Command.At, fmt.Sprintf("the track %q has no command", name), `add command = ["/path/of/program", "argument"]`)
	default:
		c.program(raw.Command, "command")
	}
	return t
}
