package lbcore

import "net/netip"

// What backends can be told of their clients: see FrontendConfig.Forwarded.
const (
	ForwardedX        = "x-forwarded" // X-Forwarded-For, -Port and -Proto
	ForwardedStandard = "forwarded"   // Forwarded (RFC 7239)
	ForwardedBoth     = "both"
	ForwardedNone     = "none"
)

// Bounds of FrontendConfig.
const (
	MaxTrusted = 100
	MaxVia     = 64 // bytes
)

// telling is what the backends of a frontend are told of its clients, and which clients
// may speak for others.
type telling struct {
	x, standard bool
	via         []byte
	trusted     []netip.Prefix
}

func newTelling(c *FrontendConfig) telling {
	return telling{
		x:        c.Forwarded == ForwardedX || c.Forwarded == ForwardedBoth,
		standard: c.Forwarded == ForwardedStandard || c.Forwarded == ForwardedBoth,
		via:      []byte(c.Via),
		trusted:  c.Trusted,
	}
}

// believes says whether a is a proxy whose word on its own clients goes on.
func (t *telling) believes(a netip.Addr) bool {
	for _, p := range t.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// appendHop appends an element of Forwarded that names a client (RFC 7239, 4 and 6.1).
func appendHop(dst []byte, client netip.Addr, proto []byte) []byte {
	if client.Is4() {
		dst = client.AppendTo(append(dst, "for="...))
	} else {
		dst = append(client.AppendTo(append(dst, `for="[`...)), `]"`...)
	}
	return append(append(dst, ";proto="...), proto...)
}

// checkTelling reports what cannot stand in a head, or is no network.
func (c *FrontendConfig) checkTelling(bad func(string, ...any)) {
	switch c.Forwarded {
	case "":
		c.Forwarded = ForwardedX
	case ForwardedX, ForwardedStandard, ForwardedBoth, ForwardedNone:
	default:
		bad("forwarded %q: want %q, %q, %q or %q", c.Forwarded, ForwardedX, ForwardedStandard, ForwardedBoth, ForwardedNone)
	}
	if len(c.Via) > MaxVia || !visible(c.Via) {
		bad("via %q: want at most %d visible ASCII characters", c.Via, MaxVia)
	}
	if len(c.Trusted) > MaxTrusted {
		bad("%d trusted networks: want at most %d", len(c.Trusted), MaxTrusted)
	}
	for _, p := range c.Trusted {
		if !p.IsValid() || p.Addr().Is4In6() || p != p.Masked() {
			bad("trusted %v: want a network, as in %s", p, "10.0.0.0/8")
		}
	}
}
