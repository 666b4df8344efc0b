package election

import "encoding/binary"

// check returns why q cannot be sent, or must not be answered.
func (q *Question) check() error {
	switch {
	case !nameOK(q.Node) || len(q.Target) > MaxNameLen:
		return ErrName
	case q.Boot == 0:
		return ErrBoot
	case q.Nonce == 0:
		return ErrNonce
	}
	return nil
}

// appendQuestion never exceeds MaxDatagram: two names are all that varies.
func appendQuestion(dst []byte, q *Question, flags byte) []byte {
	b := append(dst, wireMagic[0], wireMagic[1], wireVersion, flags|flagQuestion)
	b = binary.BigEndian.AppendUint64(b, q.Boot)
	b = binary.BigEndian.AppendUint64(b, q.Session)
	b = binary.BigEndian.AppendUint64(b, q.Nonce)
	return appendName(appendName(b, q.Node), q.Target)
}

// parseQuestion reads all between head and tag.
func parseQuestion(b []byte, flags byte) (Question, error) {
	if flags&flagQuestion == 0 {
		return Question{}, ErrKind
	}
	r := reader{b: b}
	q := Question{Boot: r.uint64(), Session: r.uint64(), Nonce: r.nonce(), Node: r.name(), Target: r.name()}
	if r.err == nil && len(r.b) > 0 {
		r.err = ErrLong
	}
	if r.err == nil {
		r.err = q.check()
	}
	if r.err != nil {
		return Question{}, r.err
	}
	return q, nil
}
