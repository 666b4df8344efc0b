package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/lbcore/route"
)

// Sources is what each source of a frontend may do, and which there may be.
type Sources struct {
	Allow, Deny []netip.Prefix // those in Deny, and not in Allow, are refused; an empty Allow holds everybody
	MaxConn     int            // open connections of one; 0: no bound
	Rate        *route.Rate    // requests, or connections of mode tcp, of one; nil: no bound
	Prefix6     int            // bits of an IPv6 address that make a source
	Table       int            // how many sources are remembered
}

func (c *checker) sources(raw *rawFrontend) Sources {
	return Sources{
		Allow: c.networks(raw.Allow), Deny: c.networks(raw.Deny), MaxConn: raw.SourceMaxConn.V, Rate: c.rate(raw.SourceRate),
		Prefix6: raw.SourcePrefix6.V, Table: raw.SourceTable.V,
	}
}

// rateText is COUNT/TIME, with "burst COUNT" behind it or not; a time of one need not say so.
var rateText = regexp.MustCompile(`^([0-9]{1,9})/([0-9]{0,9}(?:ms|s|m|h))(?: burst ([0-9]{1,9}))?$`)

// rate checks how many a source may do in what time; nil without one.
func (c *checker) rate(t text) *route.Rate {
	if !t.Set || t.Bad || t.V == "" {
		return nil
	}
	m := rateText.FindStringSubmatch(t.V)
	if m == nil {
		c.add(t.At, fmt.Sprintf("%q is not a rate", t.V), `for example "100/s", "20/10s", or "5/m burst 10": how many in what time, and how many at once`)
		return nil
	}
	r := new(route.Rate)
	r.Count, _ = strconv.Atoi(m[1])
	if r.Burst = r.Count; m[3] != "" {
		r.Burst, _ = strconv.Atoi(m[3])
	}
	per := m[2]
	if strings.ContainsAny(per[:1], "msh") {
		per = "1" + per
	}
	r.Per, _ = time.ParseDuration(per)
	if msg := r.Problem(); msg != "" {
		c.add(t.At, fmt.Sprintf("%q: %s", t.V, msg), `for example "100/s" or "5/m burst 10"`)
	}
	return r
}
