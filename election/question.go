package election

import (
	"encoding/binary"
	"time"
)

// maxFor bounds how long a complaint may say that the active has been silent.
const maxFor = time.Hour

// check returns why q cannot be sent, or must not be answered.
func (q *Question) check() error {
	switch {
	case !nameOK(q.Node) || len(q.Target) > MaxNameLen:
		return ErrName
	case q.Boot == 0:
		return ErrBoot
	case q.Nonce == 0:
		return ErrNonce
	case q.Complaint != Complaint{}:
		return q.Complaint.check()
	}
	return nil
}

func (c *Complaint) check() error {
	switch {
	case !nameOK(c.Group):
		return ErrName
	case c.For < 0 || c.For > maxFor:
		return ErrFor
	}
	return nil
}

// appendQuestion never exceeds MaxDatagram: three names are all that varies.
func appendQuestion(dst []byte, q *Question, flags byte) []byte {
	complains := q.Complaint != Complaint{}
	b := append(dst, wireMagic[0], wireMagic[1], wireVersion, flags|flagQuestion|bit(complains, flagComplaint))
	b = binary.BigEndian.AppendUint64(b, q.Boot)
	b = binary.BigEndian.AppendUint64(b, q.Session)
	b = binary.BigEndian.AppendUint64(b, q.Nonce)
	b = appendName(appendName(b, q.Node), q.Target)
	if c := q.Complaint; complains {
		b = binary.BigEndian.AppendUint64(b, c.Seq)
		b = binary.BigEndian.AppendUint32(b, uint32(c.For/time.Microsecond))
		b = appendName(appendHearing(b, c.Hearing), c.Group)
	}
	return b
}

// parseQuestion reads all between head and tag.
func parseQuestion(b []byte, flags byte) (Question, error) {
	if flags&flagQuestion == 0 {
		return Question{}, ErrKind
	}
	r := reader{b: b}
	q := Question{Boot: r.uint64(), Session: r.uint64(), Nonce: r.nonce(), Node: r.name(), Target: r.name()}
	if flags&flagComplaint != 0 {
		c := Complaint{Seq: r.uint64(), For: time.Duration(r.uint32()) * time.Microsecond, Hearing: r.hearing(), Group: r.name()}
		if q.Complaint = c; r.err == nil {
			r.err = c.check()
		}
	}
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
