package election

import "encoding/binary"

// hello is one message of the exchange that makes a session. It is always sealed, with a balancer key.
type hello struct {
	node  string
	boot  uint64
	nonce uint64 // of the sender, for this exchange; 0: only an invitation
	echo  uint64 // the nonce that it answers; 0: none; without a nonce also echoCall
}

// echoCall marks an invitation to those only who have no session with its sender. A hello with a nonce has the
// other side's here, which is never foretold.
const echoCall = 1

// hello makes one of this node's.
func (s *Sessions) hello(nonce, echo uint64, key []byte) []byte {
	b := append([]byte(nil), wireMagic[0], wireMagic[1], wireVersion, flagSealed|flagHello)
	b = binary.BigEndian.AppendUint64(b, s.boot)
	b = binary.BigEndian.AppendUint64(b, nonce)
	b = binary.BigEndian.AppendUint64(b, echo)
	b = appendName(b, s.node)
	return append(b, tag(b, key)...)
}

// parseHello reads all between head and tag.
func parseHello(b []byte, flags byte) (hello, error) {
	if flags&(flagHello|flagSealed) != flagHello|flagSealed {
		return hello{}, ErrKind
	}
	r := reader{b: b}
	h := hello{boot: r.uint64(), nonce: r.uint64(), echo: r.uint64(), node: r.name()}
	switch {
	case r.err != nil:
		return hello{}, r.err
	case len(r.b) > 0:
		return hello{}, ErrLong
	case h.boot == 0:
		return hello{}, ErrBoot
	case !nameOK(h.node):
		return hello{}, ErrName
	}
	return h, nil
}
