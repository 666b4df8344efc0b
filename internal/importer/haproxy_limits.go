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

	denied, admitted []netip.Prefix // of the lines; admitted is nil for all
}

// verdict is what becomes of a directive.
type verdict struct{ became, note string }

// condition is what stands behind "if" where that is a counter.
type condition struct {
	counter string // of a stick table: http_req_rate, conn_rate or conn_cur
	most    int    // it is more than that
	negated bool
	acls    []directive // that it names
}

// limits reads the lines of a section that refuse somebody by his address, or by what a stick
// table has counted of it. They are taken in their usual forms only: a rule that is understood by
// half would let in, or refuse, whom it should not.
func (b *builder) limits(p *proxy) limits {
	l := limits{said: map[place]verdict{}}
	lists := map[string]*list{}
	for _, d := range p.body {
		if d.words[0] == "maxconn" && len(d.words) == 2 {
			if _, err := strconv.Atoi(d.words[1]); err == nil {
				l.set("maxconn", d.words[1], d.place, verdict{Taken, "frontend.maxconn: what is more waits, as there"})
			}
			continue
		}
		name, does, cond := ruling(d.words)
		if name == "" || name == "http-request" && p.tcp {
			continue
		}
		if lists[name] == nil {
			lists[name] = &list{http: name == "http-request"}
		}
		if does == "accept" || does == "allow" {
			lists[name].except(p, d, cond, &l)
		} else {
			b.refusal(p, lists[name], d, cond, &l)
		}
	}
	for _, x := range lists {
		x.end(&l)
	}
	return l
}

func (l *limits) set(key, value string, from place, v verdict) {
	l.lines = append(slices.DeleteFunc(l.lines, func(x line) bool { return x.key == key }), line{key: key, value: value, from: from})
	l.said[from] = v
}

// list is one of HAProxy's lists of rules, as far as it was read: the first that fits decides, and accept or allow ends it.
type list struct {
	http     bool           // its rules can become rules, too
	accepted []netip.Prefix // let through, whatever follows
	unclear  *place         // an accept that lets through others, too
	waits    bool           // nothing was refused behind that yet
}

// ruling reads a line that lets through or refuses: of which list it is, what it does, and its condition.
func ruling(w []string) (name, does string, cond []string) {
	switch {
	case len(w) > 1 && w[0] == "http-request" && (w[1] == "deny" || w[1] == "allow"):
		return w[0], w[1], w[2:]
	case len(w) > 2 && w[0] == "tcp-request" && (w[2] == "reject" || w[2] == "accept"):
		return w[0] + " " + w[1], w[2], w[3:]
	}
	return "", "", nil
}

// except takes in a line that lets through.
func (x *list) except(p *proxy, d directive, cond []string, l *limits) {
	networks, negated, acls, ok := p.networks(cond, !x.http)
	switch {
	case ok && !negated:
		x.accepted = union(x.accepted, networks)
		if !x.http {
			l.said[d.place] = verdict{Taken, "what is refused behind it leaves these networks out"}
			l.take(acls)
		}
	case x.unclear == nil:
		x.unclear, x.waits = &d.place, true
	}
}

// end says what became of an accept that was not understood.
func (x *list) end(l *limits) {
	switch {
	case x.http || x.unclear == nil:
	case x.waits:
		l.said[*x.unclear] = verdict{Taken, "nothing is refused behind it"}
	default:
		l.said[*x.unclear] = verdict{Left, "its condition is not understood: allow and deny of the frontend go by networks"}
	}
}

func (l *limits) take(acls []place) {
	for _, a := range acls {
		l.said[a] = verdict{Taken, ""}
	}
}

// refusal takes over one line that refuses. What it says nothing of, a rule may.
func (b *builder) refusal(p *proxy, x *list, d directive, cond []string, l *limits) {
	status := "403"
	if len(cond) > 1 && (cond[0] == "deny_status" || cond[0] == "status") {
		status, cond = cond[1], cond[2:]
	}
	networks, negated, acls, pure := p.networks(cond, !x.http)
	c, counts := condition{}, false
	if len(cond) > 1 {
		c, counts = p.condition(cond[1:])
		c.negated = c.negated != (cond[0] == "unless")
	}
	overlaps := len(intersect(networks, x.accepted)) > 0
	switch {
	case x.unclear != nil && (!x.http || counts):
		x.waits = false
		l.said[d.place] = verdict{Left, "an accept or allow before it may let some through: write allow and deny of the frontend by hand"}
	case counts && (c.negated || len(x.accepted) > 0):
		l.said[d.place] = verdict{Left, "it refuses those who do little, or an accept or allow before it lets some do more: source_rate and source_maxconn hold for every source alike"}
	case counts:
		b.counted(p, c, d, l)
		if l.said[d.place].became != Left {
			l.take(placesOf(c.acls))
		}
	case x.unclear != nil, x.http && (!pure || status != "403" || !negated && overlaps):
		// a rule can say it
	case !pure:
		l.said[d.place] = verdict{Left, letsIn + "its condition is not understood: allow, deny, source_rate and source_maxconn of the frontend refuse by address"}
	case negated:
		l.admit(union(networks, x.accepted), d.place)
		l.take(acls)
	default:
		l.deny(subtract(networks, x.accepted), d.place)
		l.take(acls)
	}
}

func placesOf(lines []directive) (all []place) {
	for _, d := range lines {
		all = append(all, d.place)
	}
	return all
}

// everywhere has all addresses.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// deny adds networks to those that are denied.
func (l *limits) deny(networks []netip.Prefix, from place) {
	if l.denied = union(l.denied, networks); len(networks) == 0 {
		l.said[from] = verdict{Taken, "nobody is left whom it refuses"}
		return
	}
	l.set("deny", quoteList(networksOf(l.denied)), from, verdict{Taken, "frontend.deny"})
}

// admit lets in nobody else any more.
func (l *limits) admit(networks []netip.Prefix, from place) {
	if l.admitted != nil {
		networks = intersect(l.admitted, networks)
	}
	if len(networks) == 0 { // no list says that
		l.deny(everywhere, from)
		return
	}
	l.admitted = networks
	l.set("allow", quoteList(networksOf(networks)), from, verdict{Taken, "frontend.allow"})
}

// networks reads a condition that goes by the client's address alone. No condition is one that all meet: none that is in no network.
func (p *proxy) networks(cond []string, raw bool) (networks []netip.Prefix, negated bool, acls []place, ok bool) {
	if len(cond) == 0 {
		return nil, true, nil, true
	}
	alternatives, err := reader{body: p.body, raw: raw}.condition(cond[1:], cond[0] == "unless")
	if err != nil || cond[0] != "if" && cond[0] != "unless" {
		return nil, false, nil, false
	}
	negated = alternatives[0][0].negated
	for _, a := range alternatives {
		if len(a) > 1 && !negated || len(alternatives) > 1 && negated {
			return nil, false, nil, false
		}
		for _, x := range a {
			if x.negated != negated || len(x.any) == 0 {
				return nil, false, nil, false
			}
			for _, m := range x.any {
				if len(m.sources) == 0 || !(match{sources: m.sources}).equals(m) {
					return nil, false, nil, false
				}
				networks = union(networks, m.sources)
			}
			acls = append(acls, x.acls...)
		}
	}
	return networks, negated, acls, true
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
	if _, is := (reader{body: p.body}).rewritten("src"); is || len(w) == 0 {
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

// criterion reads "COUNTER gt NUMBER".
func (c *condition) criterion(w []string) bool {
	m := counterName.FindStringSubmatch(w[0])
	if m == nil || len(w) != 3 || c.counter != "" {
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
