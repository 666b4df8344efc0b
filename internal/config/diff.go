package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is one difference between two configurations.
type Change struct {
	// Key is the key, or the table that was added or removed, with its own name in it:
	// "frontend.http.idle_timeout", "pool.web", "vip.192.168.42.42".
	Key string `json:"key"`
	// From and To are what stood there and what does, as one writes it in the file; both
	// are empty where only the contents of a file that it names have changed. A table has
	// none, and says "added" or "removed" in What.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	What string `json:"what"` // added, removed, changed
	// Live says that a reload brings it into effect; else the balancer must be started anew.
	Live bool `json:"live"`
}

// String returns the change as one line of a diff.
func (c Change) String() string {
	line := map[string]string{"added": "+ ", "removed": "- "}[c.What]
	switch {
	case line != "":
		line += c.Key
	case c.From == "" && c.To == "":
		line = "~ " + c.Key + ": the file holds something else"
	default:
		line = fmt.Sprintf("~ %s: %s → %s", c.Key, c.From, c.To)
	}
	if !c.Live {
		line += "  (needs a restart)"
	}
	return line
}

// Diff returns what has changed from old to new, in the order of the schema, the removed
// last. What concerns other nodes than new.Node.Name, which both must have been applied to
// (see [Config.Apply]), is no change.
func Diff(old, new *Config) []Change {
	var changes []Change
	before, after := byName(old.settings), byName(new.settings)
	walk := func(list []setting, others map[string]setting, what string) {
		table := "" // that is new as a whole
		for _, s := range list {
			if table != "" && strings.HasPrefix(s.name, table+".") || strings.HasPrefix(s.name, "node.") {
				continue
			}
			table = ""
			o, known := others[s.name]
			switch {
			case !known && s.table:
				table = s.name
				changes = append(changes, Change{Key: s.name, What: what, Live: s.live})
			case known && what == "added" && o.value != s.value:
				changes = append(changes, Change{Key: s.name, What: "changed", From: o.value, To: s.value, Live: s.live})
			}
		}
	}
	changes = append(changes, nodeChanges(old, new)...)
	walk(new.settings, before, "added")
	walk(old.settings, after, "removed")
	for _, keys := range []struct {
		name     string
		was, are [][]byte
	}{
		{"cluster.gossip_key_file", old.Cluster.GossipKeys, new.Cluster.GossipKeys},
		{"cluster.balancer_key_file", old.Cluster.BalancerKeys, new.Cluster.BalancerKeys},
		{"control.admin_token_file", old.Control.AdminTokens, new.Control.AdminTokens},
	} {
		same := slices.EqualFunc(keys.was, keys.are, bytes.Equal)
		if !same && !slices.ContainsFunc(changes, func(c Change) bool { return c.Key == keys.name }) {
			changes = append(changes, Change{Key: keys.name, What: "changed", Live: true})
		}
	}
	for _, key := range changedFiles(old, new) {
		if !slices.ContainsFunc(changes, func(c Change) bool { return strings.HasPrefix(key, c.Key) }) {
			changes = append(changes, Change{Key: key, What: "changed", Live: true})
		}
	}
	for i := range changes { // with keys or without: every peer must be started so
		c := &changes[i]
		if c.Key == "cluster.gossip_key_file" || c.Key == "cluster.balancer_key_file" {
			c.Live = c.From != "none" && c.To != "none"
		}
	}
	return changes
}

func byName(list []setting) map[string]setting {
	m := make(map[string]setting, len(list))
	for _, s := range list {
		m[s.name] = s
	}
	return m
}

// nodeChanges compares what holds for this node, from its table and from flags: whether it
// has a table, and what stands in those of others, is all the same.
func nodeChanges(old, new *Config) (changes []Change) {
	raw, was, is := reflect.TypeFor[rawNode](), reflect.ValueOf(old.Node), reflect.ValueOf(new.Node)
	for i := range raw.NumField() {
		f := raw.Field(i)
		key := f.Tag.Get("toml")
		if key == "" || was.FieldByName(f.Name).Equal(is.FieldByName(f.Name)) {
			continue
		}
		changes = append(changes, Change{
			Key: "node." + new.Node.Name + "." + key, What: "changed", Live: f.Tag.Get("reload") == "live",
			From: fmt.Sprint(was.FieldByName(f.Name)), To: fmt.Sprint(is.FieldByName(f.Name)),
		})
	}
	return changes
}

// Hash is 16 hexadecimal digits by which balancers find out that their files say something
// different: of every key's value, [node.NAME] tables included. Neither the order of the file
// nor comments nor defaults written down count, and neither do flags that stand beside the
// file, and what the files hold that it names.
func (c *Config) Hash() string {
	lines := make([]string, len(c.settings))
	for i, s := range c.settings {
		lines[i] = s.name + " = " + s.value + "\n"
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:8])
}

// sortedKeys are the keys of a map with texts for keys.
func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
