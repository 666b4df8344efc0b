package keeper

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/handover"
)

// What keepers tell each other on a state channel, from the one that connected to the one that listens. A frame:
//
//	length 2 (of the body) · body · tag 16: HMAC-SHA256, truncated, of the frame's number and the body
//
// numbered from 1, under a key that both nonces of the greeting went into: so nothing is repeated, left out,
// or of another connection. The body:
//
//	version 1 · what 1 · group (length 1, name) · then for a message of the election
//	kind 1 · flags 1 · nonce 8 · epoch 8 · for 8 (ns) · left 4 · to (length 1, name) · text (length 1)
//	and for what a planned move must know of the sender
//	number of hardware addresses 1 · 6 each · number of addresses 1 · 16 each
//
// and for the clients of a node that holds the VIPs a batch of package handover, and for a self-test
//
//	nonce 8 · request, or reply, of package handover; or why there is none
const (
	talkVersion = 1
	talkQueue   = 64                      // frames that wait for a connection; one that is full loses more
	talkBatches = 64                      // of clients, the same; a million bytes at most
	talkMax     = handover.MaxBatch + 512 // bytes of a body

	talkMessage = 1 // what
	talkWhere   = 2
	talkClients = 3
	talkAsk     = 4 // of a self-test: request
	talkReply   = 5
	talkFailed  = 6

	talkLossy = 1 << 0 // flags of a message

	maxWhereMACs  = 16
	maxWhereAddrs = 16
)

var errTalk = errors.New("a frame of the state channel that cannot be read")

// talk is one thing said.
type talk struct {
	group   string
	message *election.Message // or
	where   *where            // or
	probe   *probeTalk        // or
	clients []byte            // what has changed among the clients: a batch of package handover
}

// where tells a peer what it needs to forward to this node: from where its frames come, on the interface of a
// group's VIPs, and its own addresses there.
type where struct {
	macs  []net.HardwareAddr
	addrs []netip.Addr
}

// appendTalk appends the body of t.
func appendTalk(b []byte, t talk) []byte {
	b = append(b, talkVersion)
	if t.where != nil {
		b = append(b, talkWhere)
		b = appendText(b, t.group)
		macs, addrs := t.where.macs[:min(len(t.where.macs), maxWhereMACs)], t.where.addrs[:min(len(t.where.addrs), maxWhereAddrs)]
		b = append(b, byte(len(macs)))
		for _, mac := range macs {
			b = append(b, mac[:6]...)
		}
		b = append(b, byte(len(addrs)))
		for _, addr := range addrs {
			a := addr.As16()
			b = append(b, a[:]...)
		}
		return b
	}
	if t.clients != nil {
		return append(appendText(append(b, talkClients), t.group), t.clients...)
	}
	if t.probe != nil {
		return t.probe.append(b, t.group)
	}
	m := t.message
	b = appendText(append(b, talkMessage), t.group)
	flags := byte(0)
	if m.Lossy {
		flags = talkLossy
	}
	b = append(b, byte(m.Kind), flags)
	b = binary.BigEndian.AppendUint64(b, m.Nonce)
	b = binary.BigEndian.AppendUint64(b, m.Epoch)
	b = binary.BigEndian.AppendUint64(b, uint64(m.For))
	b = binary.BigEndian.AppendUint32(b, uint32(m.Left))
	return appendText(appendText(b, m.To), m.Text)
}

func appendText(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// parseTalk reads a body.
func parseTalk(b []byte) (talk, error) {
	r := talkReader{b: b}
	if v := r.byte(); v != talkVersion {
		return talk{}, fmt.Errorf("%w: version %d", errTalk, v)
	}
	what := r.byte()
	t := talk{group: r.text(election.MaxNameLen)}
	switch what {
	case talkMessage:
		t.message = r.message()
	case talkWhere:
		t.where = r.where()
	case talkAsk, talkReply, talkFailed:
		t.probe = r.probe(what)
	case talkClients:
		t.clients = r.bytes(len(r.b))
		r.failed = r.failed || len(t.clients) == 0
	default:
		r.failed = true
	}
	if r.failed || len(r.b) > 0 || t.group == "" {
		return talk{}, errTalk
	}
	return t, nil
}

// talkReader takes values off b. After the first failure it returns zeros.
type talkReader struct {
	b      []byte
	failed bool
}

func (r *talkReader) bytes(n int) []byte {
	if r.failed = r.failed || len(r.b) < n; r.failed {
		return make([]byte, n)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *talkReader) byte() byte     { return r.bytes(1)[0] }
func (r *talkReader) uint32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *talkReader) uint64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

func (r *talkReader) text(most int) string {
	n := int(r.byte())
	if r.failed = r.failed || n > most; r.failed {
		return ""
	}
	return string(r.bytes(n))
}

func (r *talkReader) message() *election.Message {
	m := &election.Message{Kind: election.MessageKind(r.byte())}
	flags := r.byte()
	m.Lossy, m.Nonce, m.Epoch = flags&talkLossy != 0, r.uint64(), r.uint64()
	m.For, m.Left = time.Duration(r.uint64()), int(int32(r.uint32()))
	m.To, m.Text = r.text(election.MaxNameLen), r.text(election.MaxText)
	r.failed = r.failed || flags&^talkLossy != 0 || !m.Valid()
	return m
}

func (r *talkReader) where() *where {
	w := new(where)
	n := int(r.byte())
	if r.failed = r.failed || n > maxWhereMACs; r.failed {
		return w
	}
	for range n {
		w.macs = append(w.macs, net.HardwareAddr(append([]byte(nil), r.bytes(6)...)))
	}
	n = int(r.byte())
	if r.failed = r.failed || n > maxWhereAddrs; r.failed {
		return w
	}
	for range n {
		w.addrs = append(w.addrs, netip.AddrFrom16([16]byte(r.bytes(16))).Unmap())
	}
	return w
}

// append appends what follows the version. What cannot be made is sent as a failure.
func (p *probeTalk) append(b []byte, group string) []byte {
	what, failed := byte(talkFailed), p.failed
	body, err := []byte(nil), error(nil)
	switch {
	case p.request != nil:
		what = talkAsk
		body, err = p.request.MarshalBinary()
	case p.reply != nil:
		what = talkReply
		body, err = p.reply.MarshalBinary()
	}
	if err != nil {
		what, failed = talkFailed, err.Error()
	}
	b = binary.BigEndian.AppendUint64(appendText(append(b, what), group), p.nonce)
	if what == talkFailed {
		return appendText(b, failed[:min(len(failed), election.MaxText)])
	}
	return append(b, body...)
}

func (r *talkReader) probe(what byte) *probeTalk {
	p := &probeTalk{nonce: r.uint64()}
	var err error
	switch what {
	case talkFailed:
		p.failed = r.text(election.MaxText)
		return p
	case talkAsk:
		p.request = new(handover.ProbeRequest)
		err = p.request.UnmarshalBinary(r.b)
	case talkReply:
		p.reply = new(handover.ProbeReply)
		err = p.reply.UnmarshalBinary(r.b)
	}
	r.b, r.failed = nil, r.failed || err != nil
	return p
}

// frames seals or opens the frames of one connection, in order.
type frames struct {
	key    []byte
	number uint64
}

// newFrames returns the frames of a connection with these two nonces. Without a key they are whole, not authentic.
func newFrames(key, asker, answerer []byte) *frames {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("tandem state frames"))
	m.Write(asker)
	m.Write(answerer)
	return &frames{key: m.Sum(nil)}
}

func (f *frames) tag(body []byte) []byte {
	f.number++
	m := hmac.New(sha256.New, f.key)
	m.Write(binary.BigEndian.AppendUint64(nil, f.number))
	m.Write(body)
	return m.Sum(nil)[:channelTag]
}

// seal returns the next frame.
func (f *frames) seal(body []byte) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(body)+channelTag), uint16(len(body)))
	b = append(b, body...)
	return append(b, f.tag(body)...)
}

// read returns the body of the next frame, io.EOF at an orderly end.
func (f *frames) read(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n == 0 || n > talkMax {
		return nil, fmt.Errorf("%w: %d bytes", errTalk, n)
	}
	b := make([]byte, n+channelTag)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%w: %w", errTalk, err)
	}
	if !hmac.Equal(b[n:], f.tag(b[:n])) {
		return nil, fmt.Errorf("%w: not authentic", errTalk)
	}
	return b[:n], nil
}
