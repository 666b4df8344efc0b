package config

import (
	"fmt"
	"net/netip"
)

func (c *checker) vips(raws []*rawVIP) []VIP {
	var vips []VIP
	addresses, names, groups := map[netip.Addr]place{}, map[string]place{}, map[string]*rawVIP{}
	for _, raw := range raws {
		v := VIP{Name: raw.Name.V, Interface: c.device(raw.Interface), Group: raw.Group.V, Preempt: raw.Preempt.V}
		if raw.Address.Set && !raw.Address.Bad {
			if a, ok := c.unicast(raw.Address); ok {
				v.Address = a
				once(c, addresses, a, raw.Address.At, "the VIP "+a.String())
			}
		}
		switch {
		case raw.Name.Set && !raw.Name.Bad:
			c.name(raw.Name, "the VIP's name")
			once(c, names, v.Name, raw.Name.At, fmt.Sprintf("the VIP name %q", v.Name))
		case v.Address.IsValid():
			v.Name = v.Address.String()
		}
		c.name(raw.Group, "the group's name")
		c.preempt(groups, raw)
		vips = append(vips, v)
	}
	return vips
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

// preempt reports VIPs of one group that disagree: a group moves as one.
func (c *checker) preempt(groups map[string]*rawVIP, raw *rawVIP) {
	first, ok := groups[raw.Group.V]
	if !ok {
		groups[raw.Group.V] = raw
		return
	}
	if first.Preempt.V == raw.Preempt.V || first.Preempt.Bad || raw.Preempt.Bad {
		return
	}
	at, other := raw.Preempt.At, first
	if !raw.Preempt.Set {
		at, other = first.Preempt.At, raw
	}
	c.add(at, fmt.Sprintf("preempt is %t here, but %t for another VIP of the group %q (line %d)",
		!other.Preempt.V, other.Preempt.V, raw.Group.V, other.Key.line), "VIPs of one group move together: give all of them the same")
}
