package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Backend is one that does not join by itself.
type Backend struct {
	Addr    netip.AddrPort
	Weight  int  // 1 to 256
	MaxConn int  // requests that it may have under way; 0: as many as the pool says
	Backup  bool // given requests only while no other is up
}

// defaultWeight is that of a backend that is given none.
const defaultWeight = 100

const maxMaxConn = 1_000_000

// backend parses an address and port, and words behind it as HAProxy's server lines have
// them: "10.0.0.21:3000 weight=50 backup".
func (c *checker) backend(t text) (b Backend, ok bool) {
	words := strings.Fields(t.V)
	ap, err := netip.ParseAddrPort(firstWord(t.V))
	if err != nil || ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() || ap.Addr().Is4In6() {
		c.add(t.At, fmt.Sprintf("%q is not a backend's address and port", firstWord(t.V)), backendRemedy(firstWord(t.V)))
		return b, false
	}
	b = Backend{Addr: ap, Weight: defaultWeight}
	seen := map[string]bool{}
	for _, word := range words[1:] {
		key, value, valued := strings.Cut(word, "=")
		if seen[key] {
			c.add(t.At, fmt.Sprintf("%s is said twice", key), "leave one of them out")
			return b, false
		}
		seen[key] = true
		switch n, err := strconv.Atoi(value); {
		case key == "backup" && !valued:
			b.Backup = true
		case key == "weight" && err == nil && n >= 1 && n <= 256:
			b.Weight = n
		case key == "maxconn" && err == nil && n >= 1 && n <= maxMaxConn:
			b.MaxConn = n
		case key == "maxconn":
			c.add(t.At, fmt.Sprintf("%q is no bound", word), fmt.Sprintf("for example maxconn=100; from 1 to %d", maxMaxConn))
			return b, false
		case key == "weight":
			c.add(t.At, fmt.Sprintf("%q is no weight", word), "for example weight=50; from 1 to 256")
			return b, false
		default:
			c.add(t.At, fmt.Sprintf("%q says nothing of a backend", word), backendWords)
			return b, false
		}
	}
	return b, true
}

const backendWords = `behind the address there may be weight=N, maxconn=N and backup, as in "10.0.0.21:3000 weight=50 backup"`

func firstWord(s string) string {
	if words := strings.Fields(s); len(words) > 0 {
		return words[0]
	}
	return s
}
