package lbcore

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// StickyConfig has each client come back to the backend that answered it, by a cookie. What
// stands in it is a MAC of the backend's ID: nobody can make one up, nothing is told of the
// backend, and a balancer with the same secret needs no state to know what it means.
type StickyConfig struct {
	// Cookie is its name, of letters, digits, "-", "_" and "." only.
	Cookie string
	// Secrets make the MACs, of at least 16 bytes each; the first those of new cookies,
	// and each is taken.
	Secrets [][]byte
	// MaxAge is how long a browser keeps it, in seconds at least, up to a year. 0 means
	// until it is closed.
	MaxAge time.Duration
	// SameSite is "Lax" (the default), "Strict" or "None".
	SameSite string
}

func (c *StickyConfig) check(bad func(string, ...any)) {
	for i := range len(c.Cookie) {
		if b := c.Cookie[i]; checkFieldName(string(rune(b))) != nil && b != '.' {
			bad("cookie %q: want letters, digits, \"-\", \"_\" and \".\"", c.Cookie)
			break
		}
	}
	if c.Cookie == "" || len(c.Cookie) > 64 {
		bad("a cookie's name of %d bytes: want 1 to 64", len(c.Cookie))
	}
	for _, s := range c.Secrets {
		if len(s) < 16 {
			bad("a secret of %d bytes for the cookie: want at least 16", len(s))
		}
	}
	if len(c.Secrets) == 0 {
		bad("no secret for the cookie")
	}
	if c.MaxAge < 0 || c.MaxAge > 366*24*time.Hour || c.MaxAge%time.Second != 0 {
		bad("a cookie that is kept for %v: want whole seconds, up to a year", c.MaxAge)
	}
	switch c.SameSite {
	case "", "Lax", "Strict", "None":
	default:
		bad("same site %q: want \"Lax\", \"Strict\" or \"None\"", c.SameSite)
	}
}

// token is what stands in the cookie.
func (c *StickyConfig) token(secret []byte, pool, id string) string {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%d %s %s", len(pool), pool, id)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// stickyTokens are a backend's tokens and Set-Cookie lines.
type stickyTokens struct {
	of     *StickyConfig
	tokens []string
	plain  []byte // the line without TLS
	secure []byte // and with it
}

func (c *StickyConfig) tokensOf(pool, id string) *stickyTokens {
	t := &stickyTokens{of: c}
	for _, s := range c.Secrets {
		t.tokens = append(t.tokens, c.token(s, pool, id))
	}
	line := "Set-Cookie: " + c.Cookie + "=" + t.tokens[0] + "; Path=/; HttpOnly; SameSite=" + c.SameSite
	if c.MaxAge > 0 {
		line += "; Max-Age=" + strconv.Itoa(int(c.MaxAge/time.Second))
	}
	t.plain, t.secure = []byte(line+"\r\n"), []byte(line+"; Secure\r\n")
	return t
}

// stickyView is the immutable part of a pool's view.
type stickyView struct {
	name    []byte
	byToken map[string]*Backend // those that are given requests
}

// newSticky is called with the pool's mu held.
func newSticky(cfg *PoolConfig, avail []*Backend) *stickyView {
	if cfg.Sticky == nil {
		return nil
	}
	v := &stickyView{name: []byte(cfg.Sticky.Cookie), byToken: make(map[string]*Backend, len(avail)*len(cfg.Sticky.Secrets))}
	for _, b := range avail {
		t := b.sticky.Load()
		if t == nil || t.of != cfg.Sticky {
			t = cfg.Sticky.tokensOf(cfg.Name, b.id)
			b.sticky.Store(t)
		}
		for _, token := range t.tokens {
			v.byToken[token] = b
		}
	}
	return v
}

// has says that b is given requests.
func (v *stickyView) has(b *Backend) bool {
	t := b.sticky.Load()
	return t != nil && v.byToken[t.tokens[0]] == b
}

// find looks for the backend in the value of a Cookie field. said reports whether the
// cookie is there at all.
func (v *stickyView) find(value []byte) (b *Backend, said bool) {
	for len(value) > 0 {
		var one []byte
		one, value, _ = bytes.Cut(value, []byte{';'})
		name, token, _ := bytes.Cut(bytes.TrimLeft(one, " \t"), []byte{'='})
		if !bytes.Equal(name, v.name) {
			continue
		}
		said = true
		if b := v.byToken[string(bytes.Trim(token, " \t\""))]; b != nil {
			return b, true
		}
	}
	return nil, said
}

// stickyCounts are of one loop.
type stickyCounts struct{ kept, lost, fresh atomic.Uint64 }
