package importer

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// limits is what a section says of its clients' sources that there is a key for.
type limits struct {
	lines []line // for its frontends
	said  map[place]verdict
}

// verdict is what becomes of a directive.
type verdict struct{ became, note string }

// condition is what stands behind "if", as far as it is understood.
type condition struct {
	networks []string
	counter  string // of a stick table: http_req_rate, conn_rate or conn_cur
	most     int    // it is more than that
	negated  bool
	acls     []directive // that it names
}

// limits reads the lines of a section that refuse somebody by his address, or by what a stick
// table has counted of it. They are taken in their usual forms only: a rule that is understood by
// half would let in, or refuse, whom it should not.
func (b *builder) limits(p *proxy) limits {
	l := limits{said: map[place]verdict{}}
	for _, d := range p.body {
		switch {
		case d.words[0] == "maxconn" && len(d.words) == 2:
			if _, err := strconv.Atoi(d.words[1]); err == nil {
				l.set("maxconn", d.words[1], d.place, verdict{Taken, "frontend.maxconn: what is more waits, as there"})
			}
		case !refuses(d.words, p.tcp):
		case slices.ContainsFunc(p.body, excepts):
			l.said[d.place] = verdict{Left, "an allow or accept beside it may let some through: write allow and deny of the frontend by hand"}
		default:
			b.refusal(p, d, &l)
		}
	}
	return l
}

func (l *limits) set(key, value string, from place, v verdict) {
	l.lines = append(slices.DeleteFunc(l.lines, func(x line) bool { return x.key == key }), line{key: key, value: value, from: from})
	l.said[from] = v
}

// refuses: http-request deny, or tcp-request connection reject.
func refuses(w []string, tcp bool) bool {
	deny := len(w) > 3 && w[0] == "http-request" && w[1] == "deny" && !tcp
	return deny || len(w) > 4 && w[0] == "tcp-request" && w[1] == "connection" && w[2] == "reject"
}

func excepts(d directive) bool {
	w := d.words
	return len(w) > 1 && w[0] == "http-request" && w[1] == "allow" || len(w) > 2 && w[0] == "tcp-request" && w[2] == "accept"
}

// refusal takes over one line that refuses.
func (b *builder) refusal(p *proxy, d directive, l *limits) {
	i := slices.IndexFunc(d.words, func(w string) bool { return w == "if" || w == "unless" })
	if i < 0 {
		return
	}
	c, ok := p.condition(d.words[i+1:])
	if !ok {
		l.said[d.place] = verdict{Left, "its condition is not understood: allow, deny, source_rate and source_maxconn of the frontend refuse by address"}
		return
	}
	c.negated = c.negated != (d.words[i] == "unless")
	status := "403"
	if k := slices.Index(d.words, "deny_status"); k > 0 && k+1 < i {
		status = d.words[k+1]
	}
	switch {
	case len(c.networks) > 0:
		l.networks(c, d.place, status)
	case c.negated:
		l.said[d.place] = verdict{Left, "it refuses those who do little"}
	default:
		b.counted(p, c, d, l)
	}
	if l.said[d.place].became != Left {
		for _, a := range c.acls {
			l.said[a.place] = verdict{Taken, ""}
		}
	}
}

// networks takes over who is denied, or who alone is let in.
func (l *limits) networks(c condition, from place, status string) {
	key, v := "deny", verdict{Taken, "frontend.deny"}
	if c.negated {
		key, v = "allow", verdict{Taken, "frontend.allow"}
	}
	if status != "403" {
		v = verdict{Changed, v.note + "; the status is 403"}
	}
	all := quoteList(c.networks)
	for _, x := range l.lines {
		switch {
		case x.key == key && c.negated:
			l.said[from] = verdict{Left, "there is one list of those who are let in: put together in allow who is in all of them"}
			return
		case x.key == key:
			all = strings.TrimSuffix(x.value, "]") + ", " + strings.TrimPrefix(all, "[")
		}
	}
	l.set(key, all, from, v)
}

// counted takes over a bound for what a stick table counts.
func (b *builder) counted(p *proxy, c condition, d directive, l *limits) {
	table, track, per := b.stickTable(p, c.counter)
	rate := c.counter == "http_req_rate" && !p.tcp || c.counter == "conn_rate" && p.tcp
	switch {
	case table == nil || track == nil:
		l.said[d.place] = verdict{Left, "there is no stick-table type ip or ipv6 that stores " + c.counter + ", or no track-sc0 src for it"}
		return
	case c.counter == "conn_cur":
		l.set("source_maxconn", strconv.Itoa(c.most), d.place, verdict{Changed, "source_maxconn, for each IPv4 address and each /64 of IPv6"})
	case !rate || c.most < 1:
		l.said[d.place] = verdict{Left, "source_rate of the frontend counts requests, and connections where mode is tcp"}
		return
	default:
		how := "answered 429"
		if p.tcp {
			how = "reset"
		}
		l.set("source_rate", quote(strconv.Itoa(c.most)+"/"+per), d.place,
			verdict{Changed, "source_rate, a token bucket for each IPv4 address and each /64 of IPv6; what is refused is " + how + " and counts no more"})
	}
	l.said[table.place], l.said[track.place] = verdict{Taken, "source_table says how many are remembered"}, verdict{Taken, ""}
}

// counterName is a fetch that reads what a stick table counts of the source.
var counterName = regexp.MustCompile(`^(?:sc_|sc0_|src_)(http_req_rate|conn_rate|conn_cur)(?:\(0\))?$`)

// condition reads a condition of one part.
func (p *proxy) condition(w []string) (c condition, ok bool) {
	if len(w) == 0 {
		return c, false
	}
	if first, negated := strings.CutPrefix(w[0], "!"); negated {
		w, c.negated = append([]string{first}, w[1:]...), true
	}
	if len(w) > 2 && w[0] == "{" && last(w) == "}" && !slices.Contains(w[:len(w)-1], "}") {
		return c, c.criterion(w[1 : len(w)-1])
	}
	if len(w) != 1 {
		return c, false
	}
	for _, d := range p.body {
		if len(d.words) > 3 && d.words[0] == "acl" && d.words[1] == w[0] {
			c.acls = append(c.acls, d)
			if !c.criterion(d.words[2:]) {
				return c, false
			}
		}
	}
	return c, len(c.acls) > 0
}

// criterion reads "src NETWORK…" or "COUNTER gt NUMBER"; several of an ACL are alternatives.
func (c *condition) criterion(w []string) bool {
	if w[0] == "src" {
		for _, s := range w[1:] {
			n, ok := network(s)
			if !ok {
				return false
			}
			c.networks = append(c.networks, n)
		}
		return len(w) > 1 && c.counter == ""
	}
	m := counterName.FindStringSubmatch(w[0])
	if m == nil || len(w) != 3 || c.counter != "" || len(c.networks) > 0 {
		return false
	}
	n, err := strconv.Atoi(w[2])
	if w[1] == "ge" {
		n--
	}
	c.counter, c.most = m[1], n
	return err == nil && n > 0 && (w[1] == "gt" || w[1] == "ge")
}

// network writes an address or network as a network.
func network(s string) (string, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()).String(), true
	}
	n, err := netip.ParsePrefix(s)
	return n.Masked().String(), err == nil
}

// stickTable finds the stick table for a counter, the line that has the source tracked in it, and over what time it counts.
func (b *builder) stickTable(p *proxy, counter string) (table, track *directive, per string) {
	name := p.from.name
	for i, d := range p.body {
		w := d.words
		k := slices.IndexFunc(w, func(s string) bool { return strings.HasPrefix(s, "track-sc0") })
		if k < 0 || k+1 >= len(w) || w[k+1] != "src" || slices.Contains(w, "if") || slices.Contains(w, "unless") {
			continue
		}
		track = &p.body[i]
		if len(w) == k+4 && w[k+2] == "table" {
			name = w[k+3]
		}
	}
	for _, sec := range b.all {
		for i, d := range sec.body {
			if sec.name != name || d.words[0] != "stick-table" {
				continue
			}
			text := strings.Join(d.words, " ")
			if !strings.Contains(text, " type ip") {
				continue
			}
			if counter == "conn_cur" && strings.Contains(text, counter) {
				return &sec.body[i], track, ""
			}
			if _, rest, found := strings.Cut(text, counter+"("); found {
				of, _, _ := strings.Cut(rest, ")")
				if t, ok := span(of); ok && t >= time.Second {
					return &sec.body[i], track, rateSpan(t)
				}
			}
		}
	}
	return nil, track, ""
}

// rateSpan writes the time of a rate as one number and its unit.
func rateSpan(t time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if t == u.unit {
			return u.name
		}
		if t%u.unit == 0 {
			return strconv.FormatInt(int64(t/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(t.Milliseconds(), 10) + "ms"
}
