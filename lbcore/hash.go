package lbcore

import "fmt"

// HashOn is what the policy "hash" goes by.
type HashOn string

// What a hash can be of. A TCP connection has a source only.
const (
	HashSource HashOn = "source" // the client's address (the default)
	HashPath   HashOn = "path"   // of the request's target, without the query
	HashHeader HashOn = "header" // the value of HashConfig.Header; the source where it is missing
)

// HashConfig is for the policy "hash".
type HashConfig struct {
	On     HashOn
	Header string // the field's name, for HashHeader
	// BalanceFactor bounds the load: no backend has more than so many percent of its
	// share of the requests under way (consistent hashing with bounded loads); what is
	// beyond that goes to the next backend of its key. 101 to 65535; 0 means no bound.
	BalanceFactor int
}

func (c *PoolConfig) checkHash(bad func(string, ...any)) {
	h := &c.Hash
	if c.Policy != "hash" {
		if *h != (HashConfig{}) {
			bad("what to hash belongs to the policy \"hash\", not %q", c.Policy)
		}
		return
	}
	if h.On == "" {
		h.On = HashSource
	}
	switch {
	case h.On != HashSource && h.On != HashPath && h.On != HashHeader:
		bad("hash on %q: want %q, %q or %q", h.On, HashSource, HashPath, HashHeader)
	case (h.On == HashHeader) != (h.Header != ""):
		bad("hash on %q with the header %q: a header's name and no other goes with %q", h.On, h.Header, HashHeader)
	}
	if err := checkFieldName(h.Header); h.Header != "" && err != nil {
		bad("%v", err)
	}
	if h.BalanceFactor != 0 && (h.BalanceFactor < 101 || h.BalanceFactor > 65535) {
		bad("balance factor of %d percent: want 101 to 65535, or 0 for no bound", h.BalanceFactor)
	}
}

func checkFieldName(name string) error {
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return fmt.Errorf("%q is no name of a header field", name)
		}
	}
	return nil
}

// hashBytes is FNV-1a with the finish of MurmurHash3, so that all bits are good. It has no
// secret: both balancers must find the same.
func hashBytes[T string | []byte](s T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
