package config

import (
	"fmt"
	"time"
)

// Sticky has clients come back to the backend that answered them, by a cookie.
type Sticky struct {
	Cookie   string
	MaxAge   time.Duration // whole seconds; 0: until the browser is closed
	SameSite string        // "lax", "strict" or "none"
}

func (c *checker) sticky(pool string, raw *rawSticky) *Sticky {
	if !raw.Cookie.Set {
		for _, at := range []leafState{{raw.MaxAge.Set, raw.MaxAge.At}, {raw.SameSite.Set, raw.SameSite.At}} {
			if at.set {
				c.add(at.at, fmt.Sprintf("pool.%s.sticky has no cookie", pool), `add cookie = "lb"`)
			}
		}
		return nil
	}
	if !raw.Cookie.Bad && (!isToken(raw.Cookie.V) || !isCookieName(raw.Cookie.V)) {
		c.add(raw.Cookie.At, fmt.Sprintf("%q is not the name of a cookie", raw.Cookie.V), `at most 64 letters, digits, "-", "_" and ".", as in "lb"`)
	}
	if raw.MaxAge.V%time.Second != 0 {
		c.add(raw.MaxAge.At, fmt.Sprintf("a browser keeps a cookie for whole seconds, not for %v", raw.MaxAge.V), `for example "12h"`)
	}
	return &Sticky{Cookie: raw.Cookie.V, MaxAge: raw.MaxAge.V, SameSite: raw.SameSite.V}
}

type leafState struct {
	set bool
	at  place
}

func isCookieName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return len(s) <= 64
}
