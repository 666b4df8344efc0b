package h2

import (
	"time"

	"golang.org/x/net/http2"
)

// What a peer can make us do at little cost to itself is paid from two budgets per connection, which refill with time.
// Who has spent one is sent away with ENHANCE_YOUR_CALM (RFC 9113, 10.5). Others do it so too: nghttp2 has such a budget
// for resets, of 1000 and 33 a second; Envoy counts WINDOW_UPDATE and PRIORITY against frames that carry something.
//
// Resets: a stream that its client resets before it was answered (rapid reset, CVE-2023-44487), that is refused, or in
// which it breaks the rules. A browser that leaves a page resets a hundred streams at once.
//
// Frames: whatever carries nothing: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, unknown ones (CVE-2019-9511 to
// 9518). Each frame of DATA or HEADERS, in either direction, pays for some: who moves bodies sends many window updates.
//
// Beside these: a header block has bounds on its bytes and frames (CVE-2024-27316 and others, see headers.go), and nobody
// is read from while more than 64 KiB wait for it.
const (
	resetBurst = 500
	resetRate  = 50 // a second
	frameBurst = 2000
	frameRate  = 100 // a second
	frameGain  = 8   // for each frame that carries something
)

// budget is a token bucket.
type budget struct {
	tokens, burst, rate int64
	since               time.Duration
}

// take spends one and reports whether there was one.
func (b *budget) take(now time.Duration) bool {
	if gained := int64((now - b.since) * time.Duration(b.rate) / time.Second); gained > 0 {
		b.since = now
		b.earn(gained)
	}
	b.tokens--
	return b.tokens >= 0
}

func (b *budget) earn(n int64) { b.tokens = min(b.tokens+n, b.burst) }

// spend pays for a frame that carries nothing.
func (c *Conn) spend() *Error {
	if !c.frameBudget.take(c.now) {
		return c.flood("frames", "too many frames that carry nothing")
	}
	return nil
}

// spendReset pays for a stream that came to nothing.
func (c *Conn) spendReset() *Error {
	if !c.resetBudget.take(c.now) {
		return c.flood("resets", "too many streams that come to nothing")
	}
	return nil
}

func (c *Conn) flood(kind, reason string) *Error {
	err := c.fail(http2.ErrCodeEnhanceYourCalm, reason)
	err.Flood = kind
	return err
}
