package config

import (
	"fmt"
	"strings"
)

// Hash is what the policy "hash" goes by. The zero value is for other policies.
type Hash struct {
	On            string // "source", "path" or "header"
	Header        string // its name, with "header"
	BalanceFactor int    // percent of its share of requests that a backend may have; 0: no bound
}

func (c *checker) hash(raw *rawPool) (h Hash) {
	if raw.Policy.V != "hash" {
		const msg, remedy = "%s is for the policy \"hash\"", `add policy = "hash", or leave it out`
		if raw.HashOn.Set {
			c.add(raw.HashOn.At, fmt.Sprintf(msg, "hash_on"), remedy)
		}
		if raw.HashFactor.Set {
			c.add(raw.HashFactor.At, fmt.Sprintf(msg, "hash_balance_factor"), remedy)
		}
		return h
	}
	h.On, h.Header, _ = strings.Cut(raw.HashOn.V, ":")
	named := h.On == "header" && isToken(h.Header)
	if !raw.HashOn.Bad && !named && raw.HashOn.V != "source" && raw.HashOn.V != "path" {
		c.add(raw.HashOn.At, fmt.Sprintf("%q is nothing to hash", raw.HashOn.V), `write "source", "path" or, with the name of one, "header:X-Tenant"`)
	}
	h.BalanceFactor = raw.HashFactor.V
	if f := h.BalanceFactor; f > 0 && f <= 100 {
		c.add(raw.HashFactor.At, fmt.Sprintf("hash_balance_factor = %d leaves no room for all requests", f), "give 101 or more, such as 125, or 0 for no bound")
	}
	return h
}
