package config

import (
	"fmt"
	"slices"
	"strings"
)

// framingHeaders are those that a proxy writes itself.
var framingHeaders = []string{
	"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "content-length", "date",
}

// responseHeaders checks "Name: value" lines.
func (c *checker) responseHeaders(l list) (all [][2]string) {
	for _, t := range l.V {
		name, value, found := strings.Cut(t.V, ":")
		value = strings.Trim(value, " \t")
		switch {
		case !found || !isToken(name):
			c.add(t.At, fmt.Sprintf("%q is not a header", t.V), `write "Name: value", as in "Strict-Transport-Security: max-age=31536000"`)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			c.add(t.At, fmt.Sprintf("the value of %s holds a control character", name), "leave it out")
		case slices.Contains(framingHeaders, strings.ToLower(name)):
			c.add(t.At, fmt.Sprintf("%s frames the message, or belongs to one connection: the proxy writes it", name), "leave it out")
		default:
			all = append(all, [2]string{name, value})
		}
	}
	return all
}

// isToken tells whether s can be the name of a header (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	}) < 0
}

// redirects finds where the frontends that redirect send their clients: to the
// frontend with TLS, on port 443 if there are several.
func (c *checker) redirects(raw *rawConfig, cfg *Config) {
	target := 0
	for _, f := range cfg.Frontends {
		port := int(f.Listen.Port())
		if speaksTLS := f.TLS != nil && f.Mode == "http" || len(f.SNIPools) > 0; speaksTLS && (target == 0 || port == 443) {
			target = port
		}
	}
	for i := range cfg.Frontends {
		f, r := &cfg.Frontends[i], raw.Frontend[i]
		if r.Redirect.V != "https" {
			continue
		}
		switch {
		case f.TLS != nil:
			c.add(r.Redirect.At, "this frontend speaks TLS: its clients would be redirected in circles", "redirect on the one without [frontend.tls]")
		case target == 0 && !c.partial:
			c.add(r.Redirect.At, "no frontend speaks TLS: clients would be sent to nobody", "add a [[frontend]] with [frontend.tls]")
		}
		f.RedirectHTTPS = target
	}
}
