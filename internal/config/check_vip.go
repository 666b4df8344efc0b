package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// maxGroup is how many addresses can move as one.
const maxGroup = 16

func (c *checker) vips(raws []*rawVIP) []VIP {
	var vips []VIP
	addresses, groups, sizes := map[netip.Addr]place{}, map[string]*rawVIP{}, map[string]int{}
	for _, raw := range raws {
		v := VIP{
			Interface: c.device(raw.Interface), Group: raw.Group.V, Preempt: raw.Preempt.V,
			Hook: c.hook(raw), HookTimeout: raw.HookTimeout.V,
		}
		if raw.Address.Set && !raw.Address.Bad {
			if a, ok := c.unicast(raw.Address); ok {
				v.Address = a
				once(c, addresses, a, raw.Address.At, "the VIP "+a.String())
			}
		}
		c.name(raw.Group, "the group's name")
		if first, ok := groups[raw.Group.V]; ok {
			agree(c, "preempt", raw.Preempt, first.Preempt, raw.Group.V)
			agree(c, "interface", raw.Interface, first.Interface, raw.Group.V)
			agree(c, "claim", raw.Claim, first.Claim, raw.Group.V)
			agree(c, "hook", joined(raw.Hook), joined(first.Hook), raw.Group.V)
			agree(c, "hook_timeout", raw.HookTimeout, first.HookTimeout, raw.Group.V)
		} else {
			groups[raw.Group.V] = raw
		}
		if sizes[raw.Group.V]++; sizes[raw.Group.V] == maxGroup+1 {
			c.add(raw.Key, fmt.Sprintf("the group %q has more than %d VIPs", raw.Group.V, maxGroup), "give some of them another group")
		}
		vips = append(vips, v)
	}
	return vips
}

// hook returns the program that moves a VIP, nil if none is to.
func (c *checker) hook(raw *rawVIP) []string {
	argv := words(raw.Hook)
	switch wanted := raw.Claim.V == "hook"; {
	case raw.Claim.Bad || raw.Hook.Bad:
	case wanted && len(argv) == 0:
		c.add(raw.Claim.At, `claim = "hook" needs a program`, `add hook = ["/path/of/program", "argument"]`)
	case wanted:
		c.program(raw.Hook, "hook")
	case len(argv) > 0:
		c.add(raw.Hook.At, "a hook is given, but the VIP is claimed without one", `add claim = "hook", or leave hook out`)
	}
	return argv
}

// program reports a list that does not begin with the path of a program.
func (c *checker) program(argv list, what string) {
	if first := argv.V[0]; !strings.HasPrefix(first.V, "/") {
		c.add(first.At, fmt.Sprintf("the %s %q is not an absolute path", what, first.V), "write the whole path: programs are not looked for in PATH")
	}
}

// words are a list's texts; nil of an empty one.
func words(l list) (out []string) {
	for _, t := range l.V {
		out = append(out, t.V)
	}
	return out
}

// joined makes one text of a list, which agree can compare.
func joined(l list) text {
	return text{V: strings.Join(words(l), " "), Set: l.Set, Bad: l.Bad, At: l.At}
}

// once reports a value that stood in an earlier place already.
func once[K comparable](c *checker, seen map[K]place, key K, at place, what string) {
	if first, ok := seen[key]; ok {
		c.add(at, what+" is listed twice", listedBefore(first))
		return
	}
	seen[key] = at
}

func listedBefore(first place) string {
	if first.line == 0 {
		return "give it once"
	}
	return fmt.Sprintf("it stands on line %d already", first.line)
}

// agree reports VIPs of one group that differ in what a group does as one.
func agree[T comparable](c *checker, key string, v, first leaf[T], group string) {
	if v.V == first.V || v.Bad || first.Bad {
		return
	}
	at, own, other := v.At, shown(v.V), first
	if !v.Set {
		at, own, other = first.At, shown(first.V), v
	}
	c.add(at, fmt.Sprintf("%s is %s here, but %s for another VIP of the group %q", key, own, said(other), group),
		"VIPs of one group move together: give all of them the same, or groups of their own")
}

// said words a value as the file has it.
func said[T any](l leaf[T]) string {
	switch {
	case !l.Set:
		return "not given"
	case l.At.line > 0:
		return fmt.Sprintf("%s on line %d", shown(l.V), l.At.line)
	default:
		return shown(l.V)
	}
}

// shown is a value in the form that a file has it.
func shown(v any) string {
	if d, ok := v.(time.Duration); ok {
		v = d.String()
	}
	return fmt.Sprintf("%#v", v)
}
