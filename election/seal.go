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

// Open reads an advert that arrived, be it an answer or not: with keys, only one that is sealed with one of
// them (several are for rotation); without, only an unsealed one. Nothing but the four bytes of the head is
// looked at before the tag has been verified. The error is one of the Err… of this package.
func Open(b []byte, keys [][]byte) (Advert, error) {
	body, flags, err := unseal(b, keys)
	if err != nil {
		return Advert{}, err
	}
	return parseBody(body, flags)
}

// SealQuestion appends the datagram of q to dst, as Seal does an advert's.
func SealQuestion(dst []byte, q *Question, key []byte) ([]byte, error) {
	if err := q.check(); err != nil {
		return dst, err
	}
	b := appendQuestion(dst, q, bit(len(key) > 0, flagSealed))
	if len(key) > 0 {
		b = append(b, tag(b[len(dst):], key)...)
	}
	return b, nil
}

// OpenQuestion reads a question that arrived, as Open does an advert.
func OpenQuestion(b []byte, keys [][]byte) (Question, error) {
	body, flags, err := unseal(b, keys)
	if err != nil {
		return Question{}, err
	}
	return parseQuestion(body, flags)
}

// IsQuestion says which of Open and OpenQuestion a datagram is for. It believes nothing: they do the checking.
func IsQuestion(b []byte) bool {
	flags, err := parseHead(b)
	return err == nil && flags&flagQuestion != 0
}

// unseal returns what stands between head and tag, if it may be believed.
func unseal(b []byte, keys [][]byte) (body []byte, flags byte, err error) {
	flags, err = parseHead(b)
	switch {
	case err != nil:
		return nil, 0, err
	case flags&flagSealed == 0 && len(keys) == 0:
		return b[headLen:], flags, nil
	case flags&flagSealed == 0:
		return nil, 0, ErrUnsealed
	case len(keys) == 0:
		return nil, 0, ErrSealed
	case len(b) < headLen+tagLen:
		return nil, 0, ErrShort
	}
	signed, got := b[:len(b)-tagLen], b[len(b)-tagLen:]
	for _, key := range keys {
		if len(key) > 0 && hmac.Equal(got, tag(signed, key)) {
			return signed[headLen:], flags, nil
		}
	}
	return nil, 0, ErrTag
}

func tag(b, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(b)
	return h.Sum(nil)[:tagLen]
}
