package lbcore

import "github.com/tandem-lb/tandem/lbcore/internal/http1"

// MaxErrorPage bounds the body of an ErrorPage, in bytes.
const MaxErrorPage = 32 << 10

// ErrorPage is the body of an answer that no backend gave.
type ErrorPage struct {
	Type string // Content-Type
	Body []byte // 1 to MaxErrorPage bytes
}

func (c *FrontendConfig) checkPages(bad func(string, ...any)) {
	for status, p := range c.ErrorPages {
		if status < 400 || status > 599 || len(p.Body) == 0 || len(p.Body) > MaxErrorPage {
			bad("error page of %d bytes for status %d: want 1 to %d, and 400 to 599", len(p.Body), status, MaxErrorPage)
		}
		if _, err := http1.NewFields([][2]string{{"Content-Type", p.Type}}); err != nil || p.Type == "" {
			bad("error page for status %d: type %q cannot be the value of Content-Type", status, p.Type)
		}
	}
}
