package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

func (c *checker) hooks(raws []*rawHook) []Hook {
	var hooks []Hook
	names := map[string]place{}
	for _, raw := range raws {
		h := Hook{
			Name: hookName(raw), Command: c.argv(raw.Command, "command"), Format: raw.Format.V, User: c.user(raw.User),
			Timeout: raw.Timeout.V, Concurrency: raw.Concurrency.V, Queue: raw.Queue.V, ActiveOnly: raw.ActiveOnly.V,
		}
		h.Events = c.events(raw)
		for _, tag := range c.tags(raw.SerfTags) {
			if h.SerfTags == nil {
				h.SerfTags = map[string]string{}
			}
			h.SerfTags[tag[0]] = tag[1]
		}
		if len(raw.SerfTags.V) > 0 && raw.Format.V == "json" {
			c.add(raw.SerfTags.At, "serf_tags are told in Serf's form only", `add format = "serf", or leave them out`)
		}
		at := raw.Name.At
		if raw.Name.Set {
			c.name(raw.Name, "the hook's name")
		} else {
			at = raw.Command.At
		}
		if first, ok := names[h.Name]; ok && !raw.Name.Bad && h.Name != "" {
			c.add(at, fmt.Sprintf("there are two hooks with the name %q", h.Name), fmt.Sprintf("give one of them another name; %s", listedBefore(first)))
		}
		names[h.Name] = at
		hooks = append(hooks, h)
	}
	return hooks
}

// hookName is what it is called, else its program's name.
func hookName(raw *rawHook) string {
	if raw.Name.Set || len(raw.Command.V) == 0 {
		return raw.Name.V
	}
	return path.Base(raw.Command.V[0].V)
}

// events reports what is no event, or none in the form that the hook is told in.
func (c *checker) events(raw *rawHook) []string {
	var events []string
	seen := map[string]place{}
	if raw.Events.Set && !raw.Events.Bad && len(raw.Events.V) == 0 && !c.partial {
		c.add(raw.Events.At, "the hook is for no event", `name some, as in events = ["member-join"]`)
	}
	for _, t := range raw.Events.V {
		switch {
		case !slices.Contains(HookEvents, t.V):
			c.add(t.At, fmt.Sprintf("there is no event %q", t.V), didYouMean(t.V, HookEvents))
		case raw.Format.V == "serf" && !slices.Contains(SerfEvents, t.V):
			c.add(t.At, fmt.Sprintf("Serf has no event %q", t.V), "give it a hook of its own, in the form json; Serf has "+strings.Join(SerfEvents, ", "))
		default:
			once(c, seen, t.V, t.At, "the event "+t.V)
			events = append(events, t.V)
		}
	}
	return events
}

func (c *checker) templates(raws []*rawTemplate) []Template {
	var templates []Template
	targets := map[string]place{}
	for _, raw := range raws {
		t := Template{
			Source: c.path(raw.Source, "source"), Target: c.path(raw.Target, "target"), User: c.user(raw.User),
			Timeout: raw.Timeout.V, Quiescence: raw.Quiescence.V, Keep: raw.Keep.V,
		}
		if raw.Source.Set && !raw.Source.Bad {
			t.Sum = c.sumOf(t.Source)
		}
		if raw.Check.Set {
			t.Check = c.argv(raw.Check, "check")
			if t.Check != nil && !strings.Contains(strings.Join(t.Check[1:], " "), FileWord) {
				c.add(raw.Check.At, "the check does not say where the new file stands", `write "`+FileWord+`" in its place, as in ["/usr/sbin/haproxy", "-c", "-f", "`+FileWord+`"]`)
			}
		}
		if raw.Reload.Set {
			t.Reload = c.argv(raw.Reload, "reload")
		}
		if raw.Target.Set && !raw.Target.Bad {
			once(c, targets, t.Target, raw.Target.At, "the target "+t.Target)
			if t.Target == t.Source {
				c.add(raw.Target.At, "the target would overwrite its own source", "give one of them another name")
			}
		}
		templates = append(templates, t)
	}
	return templates
}

// sumOf is of a file that this process may not be able to read, nor need to.
func (c *checker) sumOf(file string) string {
	text, err := c.readFile(file)
	if err != nil && !errors.Is(err, errTooOpen) {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Version is another one when anything about the template is different, be it what its source
// says.
func (t Template) Version() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{
		t.Source, t.Sum, t.Target, t.Check, t.Reload, t.User, t.Timeout.String(), t.Quiescence.String(), t.Keep,
	}))
	return hex.EncodeToString(sum[:8])
}

// argv returns the words of a command that must be given, nil if it cannot be one.
func (c *checker) argv(l list, what string) []string {
	switch {
	case l.Bad:
		return nil
	case len(l.V) == 0:
		if l.Set && !c.partial {
			c.add(l.At, what+" names no program", `for example: `+what+` = ["/usr/local/bin/handler"]`)
		}
		return nil
	}
	c.program(l, what)
	return words(l)
}

func (c *checker) path(t text, what string) string {
	if t.Set && !t.Bad && (!strings.HasPrefix(t.V, "/") || strings.HasSuffix(t.V, "/")) {
		c.add(t.At, fmt.Sprintf("the %s %q is not an absolute path of a file", what, t.V), "begin it with /, and end it with the file's name")
	}
	return path.Clean(t.V)
}

// login is what useradd(8) accepts.
var login = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

func (c *checker) user(t text) string {
	if !t.Bad && !login.MatchString(t.V) {
		c.add(t.At, fmt.Sprintf("%q is not a user's name", t.V), `for example "tandem-hook"`)
	}
	return t.V
}
