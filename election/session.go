package election

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Why a session does not carry a datagram. Each has its name, to be counted by.
var (
	ErrSession = errors.New("no session with this node yet, or a datagram of another one: an exchange is due")
	ErrSender  = errors.New("datagram under a session of another node or boot than it says")
	ErrSelf    = errors.New("this node's own datagram")
)

// Sessions keeps one session with each other balancer (E2). A session's key is derived from a balancer key,
// both boot ids and a nonce of each side, agreed by an exchange of hellos at first contact and after each
// restart; adverts and questions are sealed with it. What was recorded under any other session, be it from
// before a restart, cannot be replayed: it is only an invitation to a new exchange. So neither clocks nor boot
// order nor stored windows are needed; within a session the Filter keeps the order.
//
// Of several balancer keys the first makes what this node begins; a hello that came under another is answered
// under that one. So keys rotate without a gap: add the new one everywhere, make it the first, remove the old
// one. Sessions that exist outlive all three steps.
//
// Without keys nothing is sealed, nobody is greeted, and Open takes what comes.
//
// One goroutine owns it; Key is for another that sends. At most MaxPeers nodes are known.
type Sessions struct {
	node   string
	boot   uint64
	keys   [][]byte
	secret [32]byte
	nonces uint64 // how many were made
	peers  map[string]*sessionPeer
}

// sessionPeer is one other node.
type sessionPeer struct {
	nonce     uint64 // what the next hello must echo
	cur, prev session
}

// session is what both sides agreed on; the zero value is none.
type session struct {
	id           uint64
	key          []byte
	boot         uint64 // the other's
	mine, theirs uint64 // nonces
}

// NewSessions returns the sessions of one boot of a node. secret is 32 random bytes, made at start, from which
// the nonces come. Empty keys are a mistake.
func NewSessions(node string, boot uint64, secret [32]byte, keys [][]byte) (*Sessions, error) {
	if !nameOK(node) || boot == 0 {
		return nil, fmt.Errorf("sessions of node %q, boot %d: want a name of 1 to %d bytes and a boot id", node, boot, MaxNameLen)
	}
	s := &Sessions{node: node, boot: boot, secret: secret, peers: make(map[string]*sessionPeer)}
	return s, s.SetKeys(keys)
}

// SetKeys changes the accepted balancer keys, the first being the one that new exchanges begin with.
func (s *Sessions) SetKeys(keys [][]byte) error {
	for i, k := range keys {
		if len(k) == 0 {
			return fmt.Errorf("balancer key %d is empty", i)
		}
	}
	s.keys = keys
	return nil
}

// Greet returns the datagram that invites whoever gets it to an exchange: for addresses from which nothing
// has been opened yet, once a second or so. It is nil without keys.
func (s *Sessions) Greet() []byte {
	if len(s.keys) == 0 {
		return nil
	}
	return s.hello(0, 0, s.keys[0])
}

// Call returns the datagram for a group of which nobody is known, once a second or so: whoever has no session
// with this boot greets it. The others stay silent, where a greeting would make a new session. It is nil
// without keys.
func (s *Sessions) Call() []byte {
	if len(s.keys) == 0 {
		return nil
	}
	return s.hello(0, echoCall, s.keys[0])
}

// Session is what this node has with another one: see Key. Its Key is nil while the exchange is under way.
type Session struct {
	Node string
	Key  []byte // not to be changed
	ID   uint64
}

// All returns one Session for each node that is known, in no order.
func (s *Sessions) All() []Session {
	all := make([]Session, 0, len(s.peers))
	for node, p := range s.peers {
		all = append(all, Session{node, p.cur.key, p.cur.id})
	}
	return all
}

// Key returns the key to seal for a node with, and the number that goes into Advert.Session or
// Question.Session; false while there is no session. Without keys it is nil and always there.
func (s *Sessions) Key(node string) (key []byte, id uint64, ok bool) {
	if len(s.keys) == 0 {
		return nil, 0, true
	}
	p := s.peers[node]
	if p == nil || p.cur.key == nil {
		return nil, 0, false
	}
	return p.cur.key, p.cur.id, true
}

// Seal appends the datagram of a for one node to dst. ErrSession: greet it first.
func (s *Sessions) Seal(dst []byte, node string, a *Advert) ([]byte, error) {
	key, id, ok := s.Key(node)
	if !ok {
		return dst, ErrSession
	}
	sealed := *a
	sealed.Session = id
	return Seal(dst, &sealed, key)
}

// SealQuestion does the same for a question.
func (s *Sessions) SealQuestion(dst []byte, node string, q *Question) ([]byte, error) {
	key, id, ok := s.Key(node)
	if !ok {
		return dst, ErrSession
	}
	sealed := *q
	sealed.Session = id
	return SealQuestion(dst, &sealed, key)
}

// Open reads an advert. A reply, if there is one, goes back to where the datagram came from, whatever the
// error. A hello that was in order is no advert: it gives the zero Advert and no error.
func (s *Sessions) Open(b []byte) (a Advert, reply []byte, err error) {
	keys, peer, reply, err := s.receive(b)
	if err != nil || keys == nil && len(s.keys) > 0 {
		return Advert{}, reply, err
	}
	if a, err = Open(b, keys); err == nil {
		err = s.speaks(a.Node, a.Boot, a.Session, peer)
	}
	if err != nil {
		return Advert{}, nil, err
	}
	return a, nil, nil
}

// OpenQuestion reads a question, for which IsQuestion has said that it is one.
func (s *Sessions) OpenQuestion(b []byte) (q Question, reply []byte, err error) {
	keys, peer, reply, err := s.receive(b)
	if err != nil || keys == nil && len(s.keys) > 0 {
		return Question{}, reply, err
	}
	if q, err = OpenQuestion(b, keys); err == nil {
		err = s.speaks(q.Node, q.Boot, q.Session, peer)
	}
	if err != nil {
		return Question{}, nil, err
	}
	return q, nil, nil
}

// Forget makes room for another node: this one has left for good.
func (s *Sessions) Forget(node string) { delete(s.peers, node) }

// receive finds the session of a datagram and returns its key, or takes in a hello.
func (s *Sessions) receive(b []byte) (keys [][]byte, peer string, reply []byte, err error) {
	flags, err := parseHead(b)
	switch {
	case err != nil:
		return nil, "", nil, err
	case flags&flagHello != 0:
		reply, err = s.heardHello(b)
		return nil, "", reply, err
	case len(s.keys) == 0:
		return nil, "", nil, nil
	case flags&flagSealed == 0:
		return nil, "", nil, ErrUnsealed
	case len(b) < headLen+16+tagLen:
		return nil, "", nil, ErrShort
	}
	id := binary.BigEndian.Uint64(b[headLen+8:])
	for name, p := range s.peers {
		for _, v := range []*session{&p.cur, &p.prev} {
			if v.key != nil && v.id == id {
				return [][]byte{v.key}, name, nil, nil
			}
		}
	}
	return nil, "", s.Greet(), ErrSession
}

// speaks returns nil if a session's datagram is of the node and boot that agreed on it.
func (s *Sessions) speaks(node string, boot, id uint64, peer string) error {
	switch {
	case node == s.node && boot == s.boot:
		return ErrSelf
	case len(s.keys) == 0:
		return nil
	}
	p := s.peers[peer] // the session before may still be under way, but only of the same life
	if node != peer || boot != p.cur.boot || id != p.cur.id && id != p.prev.id {
		return ErrSender
	}
	return nil
}

// heardHello is the exchange. A hello that echoes the nonce that waits for it is fresh: it makes a session.
// Any other one, replayed or not, is an invitation: it changes nothing, and the answer carries that nonce.
func (s *Sessions) heardHello(b []byte) (reply []byte, err error) {
	h, key, err := s.openHello(b)
	switch {
	case err != nil:
		return nil, err
	case h.node == s.node && h.boot == s.boot:
		return nil, ErrSelf
	}
	p := s.peers[h.node]
	if p == nil {
		if len(s.peers) >= MaxPeers {
			return nil, ErrPeers
		}
		p = &sessionPeer{nonce: s.newNonce()}
		s.peers[h.node] = p
	}
	switch {
	case h.nonce == 0 && h.echo == echoCall && p.cur.key != nil && h.boot == p.cur.boot:
		return nil, nil // it calls those who do not know it
	case h.nonce != 0 && h.echo == p.nonce:
		v := session{boot: h.boot, mine: p.nonce, theirs: h.nonce}
		s.derive(&v, h.node, key)
		p.prev, p.cur, p.nonce = p.cur, v, s.newNonce()
		return s.hello(v.mine, v.theirs, key), nil
	case p.cur.key != nil && h.boot == p.cur.boot && h.nonce == p.cur.theirs && h.echo == p.cur.mine:
		return nil, nil // the other side of what is agreed already
	}
	return s.hello(p.nonce, h.nonce, key), nil
}

// openHello reads a hello and says which balancer key it came under.
func (s *Sessions) openHello(b []byte) (h hello, key []byte, err error) {
	if len(s.keys) == 0 {
		return hello{}, nil, ErrSealed
	}
	for _, key = range s.keys {
		var body []byte
		var flags byte
		if body, flags, err = unseal(b, [][]byte{key}); err == nil {
			h, err = parseHello(body, flags)
			return h, key, err
		}
	}
	return hello{}, nil, err
}

// derive makes key and id, the same on both sides.
func (s *Sessions) derive(v *session, node string, key []byte) {
	type side struct {
		node        string
		boot, nonce uint64
	}
	a, b := side{s.node, s.boot, v.mine}, side{node, v.boot, v.theirs}
	if cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.boot, b.boot)) > 0 {
		a, b = b, a
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte("tandem session 1"))
	for _, side := range []side{a, b} {
		buf := appendName(nil, side.node)
		buf = binary.BigEndian.AppendUint64(buf, side.boot)
		h.Write(binary.BigEndian.AppendUint64(buf, side.nonce))
	}
	v.key = h.Sum(nil)
	id := sha256.Sum256(append([]byte("tandem session id"), v.key...))
	v.id = max(1, binary.BigEndian.Uint64(id[:]))
}

// newNonce returns one that nobody can foretell and that comes only once.
func (s *Sessions) newNonce() uint64 {
	s.nonces++
	h := hmac.New(sha256.New, s.secret[:])
	h.Write(binary.BigEndian.AppendUint64(nil, s.nonces))
	return max(1, binary.BigEndian.Uint64(h.Sum(nil)))
}
