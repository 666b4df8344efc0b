package hook

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// serf is Serf's form: a line for each member on the standard input, or the payload of a
// user event, and all else in the environment.
func (e Event) serf(self Self) (Input, error) {
	if !slices.Contains(SerfNames, e.Name) {
		return Input{}, fmt.Errorf("hook: Serf has no event %s", e.Name)
	}
	role := self.Tags["role"]
	if role == "" {
		role = "lb"
	}
	env := []string{"SERF_EVENT=" + e.Name, "SERF_SELF_NAME=" + self.Name, "SERF_SELF_ROLE=" + role, "SERF_TAG_ROLE=" + role}
	for _, key := range sortedKeys(self.Tags) {
		if name := serfVariable(key); name != "ROLE" {
			env = append(env, "SERF_TAG_"+name+"="+self.Tags[key])
		}
	}
	var in bytes.Buffer
	if e.Name == User {
		// Serf's clock counts events; ours counts all of them, which grows as well.
		env = append(env, "SERF_USER_EVENT="+e.UserEvent, "SERF_USER_LTIME="+strconv.FormatUint(e.Seq, 10))
		in.Write(e.Payload)
		if n := in.Len(); n > 0 && in.Bytes()[n-1] != '\n' {
			in.WriteByte('\n')
		}
	}
	for _, m := range e.Members {
		in.WriteString(m.serfLine())
	}
	return Input{Env: clean(env), Stdin: in.Bytes()}, nil
}

// serfLine is name, address, role and tags, with tabs between. The role is the tag of that
// name, or else the pool that an agent's first app serves; a balancer's is "lb".
func (m Member) serfLine() string {
	tags := maps.Clone(m.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	put := func(key, value string) {
		if _, given := tags[key]; !given && value != "" {
			tags[key] = value
		}
	}
	if m.Role == "balancer" {
		put("role", "lb")
	}
	for _, a := range m.Apps { // the first one, where there are several
		put("role", a.Pool)
		put("pool", a.Pool)
		if a.Addr.IsValid() {
			put("port", strconv.Itoa(int(a.Addr.Port())))
		}
	}
	var all []string
	for _, key := range sortedKeys(tags) {
		all = append(all, key+"="+tags[key])
	}
	cells := []string{m.Name, m.Addr.Addr().String(), tags["role"], strings.Join(all, ",")}
	for i := range cells {
		cells[i] = serfClean.Replace(cells[i])
	}
	return strings.Join(cells, "\t") + "\n"
}

// serfClean keeps a text from being taken for two cells, or two lines.
var serfClean = strings.NewReplacer("\t", `\t`, "\n", `\n`)

// serfVariable makes a tag's name fit for a shell variable.
func serfVariable(tag string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, strings.ToUpper(tag))
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
