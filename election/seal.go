package election

import (
	"crypto/hmac"
	"crypto/sha256"
)

// tagLen is the length of HMAC-SHA-256 cut to its first half (RFC 2104, 5; the usual HMAC-SHA-256-128).
const tagLen = 16

// Seal appends the datagram of a to dst, authenticated with key; without a key it is AppendAdvert.
// The tag covers the whole datagram, flags included, so it can be neither altered nor stripped.
func Seal(dst []byte, a *Advert, key []byte) ([]byte, error) {
	if len(key) == 0 {
		return AppendAdvert(dst, a)
	}
	b, err := appendAdvert(dst, a, flagSealed, tagLen)
	if err != nil {
		return dst, err
	}
	return append(b, tag(b[len(dst):], key)...), nil
}

// Open reads a datagram that arrived: with keys, only one that is sealed with one of them (several are for
// rotation); without, only an unsealed one. Nothing but the four bytes of the head is looked at before the tag
// has been verified. The error is one of the Err… of this package.
func Open(b []byte, keys [][]byte) (Advert, error) {
	flags, err := parseHead(b)
	switch {
	case err != nil:
		return Advert{}, err
	case flags&flagSealed == 0 && len(keys) == 0:
		return parseBody(b[headLen:])
	case flags&flagSealed == 0:
		return Advert{}, ErrUnsealed
	case len(keys) == 0:
		return Advert{}, ErrSealed
	case len(b) < headLen+tagLen:
		return Advert{}, ErrShort
	}
	signed, got := b[:len(b)-tagLen], b[len(b)-tagLen:]
	for _, key := range keys {
		if len(key) > 0 && hmac.Equal(got, tag(signed, key)) {
			return parseBody(signed[headLen:])
		}
	}
	return Advert{}, ErrTag
}

func tag(b, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(b)
	return h.Sum(nil)[:tagLen]
}
