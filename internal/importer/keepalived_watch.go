package importer

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What keepalived looks at, and whom it tells: track scripts, interfaces and processes become
// tracks, which count in the fitness of the whole node; notify programs become hooks.

// Whole seconds and parts of one, as keepalived writes them.
var (
	seconds       = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,6})?$`)
	interfaceName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$`)
	processName   = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)
)

const (
	ownProxy   = "the keeper watches the proxy itself, and hands over when it hangs or ends; there is no HAProxy any more"
	asHook     = "as the user tandem-hook, without rights"
	unfitTrack = "255" // as keepalived without a weight: it must not have the VIP
)

// argv is a command as a program and its arguments, by a shell where it has no path.
func argv(words []string) []string {
	words = strings.Fields(strings.Join(words, " "))
	if len(words) == 0 || strings.HasPrefix(words[0], "/") {
		return words
	}
	return []string{"/bin/sh", "-c", strings.Join(words, " ")}
}

// watched are the tracks of a file, by what an instance calls them.
type watched struct {
	scripts map[string]*statement // vrrp_script and vrrp_track_process
	used    map[string]bool
}

// watches collects what instances may name.
func watches(all []*statement) watched {
	w := watched{map[string]*statement{}, map[string]bool{}}
	for _, s := range all {
		if word := s.words[0]; (word == "vrrp_script" || word == "vrrp_track_process") && s.arg(1) != "" {
			w.scripts[s.arg(1)] = s
		}
	}
	return w
}

// unused reports the scripts that nobody has named.
func (b *builder) unused(w watched) {
	for name, s := range w.scripts {
		if !w.used[name] {
			b.leave(s, "no instance uses it")
		}
	}
}

// track imports what stands in track_script or track_process of an instance.
func (b *builder) track(s *statement, w watched) {
	b.took(s.place, Taken, "")
	for _, c := range s.body {
		def := w.scripts[c.words[0]]
		if def == nil {
			b.took(c.place, Left, "there is no script or process of that name")
			continue
		}
		if !w.used[c.words[0]] {
			w.used[c.words[0]] = true
			if def.words[0] == "vrrp_script" {
				b.script(def)
			} else {
				b.process(def)
			}
		}
		if name := label(c.words[0]); b.has(trackHead(name)) {
			b.weigh(b.table(trackHead(name), c.place), c)
			b.took(c.place, Changed, "track."+name+"; it counts for all VIPs of the node")
		} else {
			b.took(c.place, Left, ownProxy)
		}
	}
}

func trackHead(name string) string { return "[track." + key(name) + "]" }

// weigh takes a weight of one use over.
func (b *builder) weigh(t *block, s *statement) {
	for i, word := range s.words[:len(s.words)-1] {
		if n, err := strconv.Atoi(s.words[i+1]); word == "weight" && err == nil {
			t.set("weight", trackWeight(n), s.place)
		}
	}
}

// trackWeight is what a failure costs of the fitness, of which 255 is all: keepalived's weights
// are of a priority that has as many steps, and 0 means that it must not be master.
func trackWeight(n int) string {
	if n < 0 {
		n = -n
	}
	if n == 0 || n > 255 {
		return unfitTrack
	}
	return strconv.Itoa(n)
}

// script imports a vrrp_script as a track.
func (b *builder) script(s *statement) {
	var command []string
	if c := s.child("script"); c != nil {
		command = argv(c.words[1:])
	}
	if text := strings.Join(command, " "); len(command) == 0 || strings.Contains(text, "haproxy") {
		b.leave(s, ownProxy)
		return
	}
	t := b.table(trackHead(label(s.arg(1))), s.place)
	t.vital("command", quoteList(command), s.child("script").place)
	t.set("weight", unfitTrack, s.place)
	t.set("rise", "1", s.place)
	t.set("fall", "1", s.place)
	b.took(s.place, Taken, "track."+label(s.arg(1)))
	for _, c := range s.body {
		v := c.arg(1)
		switch word := c.words[0]; {
		case word == "script" && command[0] == "/bin/sh":
			b.took(c.place, Changed, "command, by a shell since it has no path; it runs "+asHook)
		case word == "script":
			b.took(c.place, Changed, "command; it runs "+asHook)
		case (word == "interval" || word == "timeout") && seconds.MatchString(v):
			t.set(word, quote(v+"s"), c.place)
			b.took(c.place, Taken, word)
		case (word == "rise" || word == "fall") && seconds.MatchString(v):
			t.set(word, v, c.place)
			b.took(c.place, Taken, word)
		case word == "weight":
			b.weight(t, c)
		case word == "user":
			b.took(c.place, Left, "tracks run "+asHook)
		default:
			b.leave(c, "there is nothing like it")
		}
	}
}

func (b *builder) weight(t *block, s *statement) {
	n, err := strconv.Atoi(s.arg(1))
	if err != nil {
		b.took(s.place, Left, "it is no number")
		return
	}
	t.set("weight", trackWeight(n), s.place)
	b.took(s.place, Changed, "weight: what a failure costs of the fitness, 255 at best; a peer that is fitter by a quarter takes over")
}

// process imports a vrrp_track_process as a track that looks for the process.
func (b *builder) process(s *statement) {
	p := s.child("process")
	if p == nil || !processName.MatchString(p.arg(1)) || strings.Contains(p.arg(1), "haproxy") {
		b.leave(s, ownProxy)
		return
	}
	name := p.arg(1)[strings.LastIndex(p.arg(1), "/")+1:]
	t := b.table(trackHead(label(s.arg(1))), s.place)
	t.vital("command", quoteList([]string{"/usr/bin/pgrep", "-x", name}), p.place)
	t.set("weight", unfitTrack, s.place)
	b.took(s.place, Taken, "track."+label(s.arg(1)))
	for _, c := range s.body {
		switch c.words[0] {
		case "process":
			b.took(c.place, Changed, "it is looked for once a second, by pgrep")
		case "weight":
			b.weight(t, c)
		default:
			b.leave(c, "there is nothing like it")
		}
	}
}

// trackInterfaces imports track_interface: the carrier of other interfaces is a track.
func (b *builder) trackInterfaces(s *statement, own string) {
	b.took(s.place, Taken, "")
	for _, c := range s.body {
		name := c.words[0]
		switch {
		case name == own:
			b.took(c.place, Taken, "the VIP's own interface is watched always")
		case !interfaceName.MatchString(name):
			b.took(c.place, Left, "it is no interface")
		default:
			t := b.table(trackHead(label(name)), c.place)
			t.vital("command", quoteList([]string{"/bin/grep", "-q", "1", "/sys/class/net/" + name + "/carrier"}), c.place)
			t.set("weight", unfitTrack, c.place)
			b.weigh(t, c)
			b.took(c.place, Changed, "track."+label(name)+" looks at its carrier once a second; it counts for all VIPs of the node")
		}
	}
}

// The notify programs of an instance or a sync group, and the events that they become.
var notifyEvents = map[string]string{"notify_master": "active", "notify_backup": "backup", "notify_fault": "fault"}

// notify imports them as hooks. kind and name are what keepalived would tell the program.
func (b *builder) notify(s *statement, kind, name, priority string) {
	command := argv(s.words[1:])
	word := s.words[0]
	if len(command) == 0 {
		b.took(s.place, Left, "it names no program")
		return
	}
	states := map[string]string{"active": "MASTER", "backup": "BACKUP", "fault": "FAULT"}
	events, prefix := []string{notifyEvents[word]}, ""
	if word == "notify" {
		events, prefix = []string{"active", "backup", "fault"}, "notify-" // it may stand beside the others
	}
	for _, event := range events {
		args := command
		if word == "notify" {
			told := []string{kind, name, states[event], priority}
			if args = append(slices.Clone(command), told...); command[0] == "/bin/sh" {
				args = []string{"/bin/sh", "-c", command[2] + ` "$@"`, "sh"}
				args = append(args, told...)
			}
		}
		h := b.add("[[hook]]", s.place)
		h.set("name", quote(label(name+"-"+prefix+event)), s.place)
		h.vital("events", quoteList([]string{event}), s.place)
		h.vital("command", quoteList(args), s.place)
	}
	note := fmt.Sprintf("hook on %s: it runs %s, for every VIP group (TANDEM_GROUP names it)", strings.Join(events, ", "), asHook)
	if slices.Contains(events, "backup") {
		note += "; after a handover it comes when the drain has ended"
	}
	b.took(s.place, Changed, note)
}
