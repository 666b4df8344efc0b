package importer

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// statement is one statement of keepalived.conf with what stands in its braces.
type statement struct {
	place
	words []string
	body  []*statement
	block bool
}

// keepalivedWords begin a block that only keepalived.conf has.
var keepalivedWords = []string{"vrrp_instance", "virtual_server", "global_defs", "vrrp_sync_group", "vrrp_script", "virtual_server_group", "static_ipaddress", "static_routes"}

func isKeepalived(data []byte) bool {
	for text := range bytes.Lines(data) {
		words := keepalivedFields(string(text))
		if len(words) > 0 && slices.Contains(keepalivedWords, words[0]) {
			return true
		}
	}
	return false
}

// keepalivedFields cuts a line into words; braces are words, ! and # begin a comment.
func keepalivedFields(s string) (words []string) {
	var w strings.Builder
	end := func() {
		if w.Len() > 0 {
			words = append(words, w.String())
			w.Reset()
		}
	}
	quoted := false
	for _, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == '!' || r == '#'):
			end()
			return words
		case !quoted && (r == '{' || r == '}'):
			end()
			words = append(words, string(r))
		case !quoted && (r == ' ' || r == '\t' || r == '\r' || r == '\n'):
			end()
		default:
			w.WriteRune(r)
		}
	}
	end()
	return words
}

// maxDepth bounds nested braces; keepalived's own have five.
const maxDepth = 32

// statements reads the file. Braces that do not match end blocks early or late, as in
// keepalived, and cost nothing but their lines.
func statements(s Source) []*statement {
	root := &statement{block: true}
	stack := []*statement{root}
	n := 0
	for text := range strings.Lines(string(s.Data)) {
		n++
		at := place{s.Name, n, strings.TrimSpace(text)}
		var now *statement
		for _, w := range keepalivedFields(text) {
			top := stack[len(stack)-1]
			switch w {
			case "{":
				if now == nil && len(top.body) > 0 {
					now = top.body[len(top.body)-1] // its brace stands on a line of its own
				}
				if now != nil && len(stack) < maxDepth {
					now.block = true
					stack = append(stack, now)
				}
				now = nil
			case "}":
				if len(stack) > 1 {
					stack = stack[:len(stack)-1]
				}
				now = nil
			default:
				if now == nil {
					now = &statement{place: at}
					top.body = append(top.body, now)
				}
				now.words = append(now.words, w)
			}
		}
	}
	return root.body
}

func (s *statement) child(word string) *statement {
	for _, c := range s.body {
		if c.words[0] == word {
			return c
		}
	}
	return nil
}

// arg is a word of a statement; "" if there is none.
func (s *statement) arg(i int) string {
	if s != nil && i < len(s.words) {
		return s.words[i]
	}
	return ""
}

// leave reports a statement and all in it.
func (b *builder) leave(s *statement, why string) {
	b.took(s.place, Left, why)
	for _, c := range s.body {
		b.leave(c, why)
	}
}

// keepalived imports a keepalived.conf.
func (b *builder) keepalived(src Source, node string) {
	all := statements(src)
	groups := map[string]string{} // of instances, by name
	w := watches(all)
	for _, s := range all {
		if s.words[0] == "vrrp_sync_group" {
			b.syncGroup(s, groups)
		}
	}
	for _, s := range all {
		switch s.words[0] {
		case "vrrp_instance":
			b.instance(s, groups, w, node)
		case "virtual_server":
			b.virtualServer(s)
		case "vrrp_sync_group", "vrrp_script", "vrrp_track_process":
		case "global_defs":
			b.leave(s, "who is told of a failover is a hook's matter; the rest is VRRP's")
		default:
			b.leave(s, "there is nothing like it")
		}
	}
	b.unused(w)
}

// syncGroup: instances that move together are one VIP group.
func (b *builder) syncGroup(s *statement, groups map[string]string) {
	name := label(s.arg(1))
	for _, c := range s.body {
		if c.words[0] == "notify" || notifyEvents[c.words[0]] != "" {
			b.notify(c, "GROUP", s.arg(1), "100")
			continue
		}
		if c.words[0] != "group" || name == "" {
			b.leave(c, "there is nothing like it")
			continue
		}
		b.took(c.place, Taken, "")
		for _, m := range c.body {
			for _, word := range m.words {
				groups[word] = name
			}
			b.took(m.place, Taken, "group "+name)
		}
	}
	b.took(s.place, Taken, "VIPs of one group move together")
}

// reasons why lines of an instance are not there.
var instanceLeft = map[string]string{
	"virtual_router_id": "balancers know each other by their keys, not by a number on the wire",
	"authentication":    "make keys: tandem keygen balancer.key, and name it in cluster.balancer_key_file",
	"state":             "the election decides, from the start",
	"garp_master_delay": "announcements have a schedule of their own",
	"notify_stop":       "a balancer that ends hands over first; no event is raised for that",
	"preempt_delay":     "who is to take over must have been the better one for 10 s",
	"use_vmac":          "there is no virtual MAC: the new active announces itself",
}

// instance imports a vrrp_instance: its addresses are VIPs.
func (b *builder) instance(s *statement, groups map[string]string, w watched, node string) {
	group := groups[s.arg(1)]
	if group == "" {
		group = label(s.arg(1))
	}
	b.took(s.place, Taken, "")
	device, preempt := s.child("interface"), s.child("nopreempt") == nil
	for _, c := range s.body {
		switch c.words[0] {
		case "virtual_ipaddress":
			b.took(c.place, Taken, "")
			for _, a := range c.body {
				b.vip(a, group, device, preempt)
			}
		case "interface":
			b.took(c.place, Taken, "")
		case "nopreempt":
			b.took(c.place, Taken, "preempt = false")
		case "unicast_peer":
			b.peers(c)
		case "unicast_src_ip":
			b.peer(c, c.arg(1))
		case "priority":
			b.priority(c, node)
		case "track_script", "track_process":
			b.track(c, w)
		case "track_interface":
			b.trackInterfaces(c, device.arg(1))
		case "notify", "notify_master", "notify_backup", "notify_fault":
			priority := "100"
			if p := s.child("priority"); p != nil {
				priority = p.arg(1)
			}
			b.notify(c, "INSTANCE", s.arg(1), priority)
		case "advert_int":
			b.took(c.place, Changed, "adverts go every 20 ms; cluster.advert_interval changes that, and with it how soon a backup takes over")
		default:
			why := instanceLeft[c.words[0]]
			if why == "" {
				why = "there is nothing like it"
			}
			b.leave(c, why)
		}
	}
}

func (b *builder) vip(s *statement, group string, device *statement, preempt bool) {
	text, _, _ := strings.Cut(s.words[0], "/")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		b.took(s.place, Left, "it is no address")
		return
	}
	v := b.add("[[vip]]", s.place)
	v.vital("address", quote(addr.String()), s.place)
	name, from := device.arg(1), s.place
	if device != nil {
		from = device.place
	}
	for i, w := range s.words[:len(s.words)-1] {
		if w == "dev" {
			name, from = s.words[i+1], s.place
		}
	}
	if name != "" {
		v.set("interface", quote(name), from)
	}
	if group != "" {
		v.set("group", quote(group), s.place)
	}
	if preempt { // as keepalived does unless it is told not to
		v.set("preempt", "true", s.place)
	}
	b.took(s.place, Taken, "VIP "+addr.String())
}

func (b *builder) peers(s *statement) {
	b.took(s.place, Taken, "")
	for _, p := range s.body {
		b.peer(p, p.words[0])
	}
}

// peer adds a seed; the list may hold this balancer itself.
func (b *builder) peer(s *statement, text string) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		b.took(s.place, Left, "it is no address")
		return
	}
	c := b.table("[cluster]", s.place)
	value := quote(addr.String())
	for i := range c.lines {
		if l := &c.lines[i]; l.key == "join" {
			if !strings.Contains(l.value, value) {
				l.value = strings.TrimSuffix(l.value, "]") + ", " + value + "]"
			}
			b.took(s.place, Taken, "cluster.join")
			return
		}
	}
	c.set("join", "["+value+"]", s.place)
	b.took(s.place, Taken, "cluster.join")
}

func (b *builder) priority(s *statement, node string) {
	n, err := strconv.Atoi(s.arg(1))
	switch {
	case err != nil:
		b.took(s.place, Left, "it is no number")
	case label(node) == "":
		b.took(s.place, Left, fmt.Sprintf("it is this node's alone, and the file is the same on all: name the node (tandem import --node NAME), or start it with --priority %d", n))
	default:
		b.table("[node."+key(label(node))+"]", s.place).set("priority", strconv.Itoa(n), s.place)
		b.took(s.place, Taken, "node."+label(node)+".priority")
	}
}
