package keeper

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/election"
)

// The state channel is a TCP connection from each keeper to each other one, on the adverts'
// port. Both ends prove who they are; then whoever connected may say something now and then
// (talk_linux.go). What counts besides is its end (E7): a kernel whose keeper has died closes
// the connection and refuses the next one within a millisecond, long before an advert is
// missed. It is a hint only: a firewall can do the same.
//
//	→ nonce 16
//	← boot 8 · nonce 16 · name (length 1) · tag 16 of the nonce asked with, and of all this
//	→ boot 8 · name (length 1) · tag 16 of the nonce answered with, and of all this
//	→ frames
const (
	channelNonce = 16
	channelTag   = 16 // HMAC-SHA256, truncated
	channelHello = 2 * time.Second
	// A peer that has just come back must be reached before it may be handed something: an
	// active that ends without a channel breaks connections. So attempts are short, and many.
	channelDial    = 250 * time.Millisecond // for a connection; one attempt to a dead host
	channelRedial  = 100 * time.Millisecond // between attempts to reach a peer that is not there
	channelRefusal = 100 * time.Millisecond // for the reconnect that tells a death from a cut
	channelTries   = 20                     // of these, while a process may be dying
	channelPause   = 5 * time.Millisecond   // between them
	channelMax     = maxPeers               // connections accepted at once
)

// peerGone is an event: the keeper of this node and boot has closed its state channel, and
// its port refuses a new one.
type peerGone struct {
	node string
	boot uint64
}

// peerLinked is an event: a channel to this node and boot stands, or has ended.
type peerLinked struct {
	node string
	boot uint64
	up   bool
}

// peerSaid is an event: a peer has said something.
type peerSaid struct {
	node string
	boot uint64
	talk talk
}

// channel is this node's side of all state channels.
type channel struct {
	node     string
	boot     uint64
	port     uint16
	keys     atomic.Pointer[[][]byte]
	listener net.Listener
	emit     func(event)
	log      *slog.Logger

	introduce func() []talk                                // what every peer is told first; nil: nothing
	beside    func(node string, boot uint64, t talk) error // takes in what is not for the machines, beside the loop

	mu    sync.Mutex // protects what follows
	peers map[netip.AddrPort]context.CancelFunc
	up    map[netip.AddrPort]*line // connections that stand
	ups   uint64                   // how many there have been
}

func openChannel(node string, boot uint64, port uint16, keys [][]byte, log *slog.Logger) (*channel, error) {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, fmt.Errorf("state channel: %w; advert_port changes the port", err)
	}
	c := &channel{
		node: node, boot: boot, port: port, listener: l, log: log,
		peers: make(map[netip.AddrPort]context.CancelFunc), up: make(map[netip.AddrPort]*line),
	}
	c.keys.Store(&keys)
	return c, nil
}

// run accepts the others' connections until ctx ends.
func (c *channel) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.listener.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	places := make(chan struct{}, channelMax)
	for {
		conn, err := c.listener.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("state channel: %w", err)
		case err != nil:
			time.Sleep(10 * time.Millisecond) // out of descriptors, or a connection that was gone again
			continue
		}
		select {
		case places <- struct{}{}:
			open.Go(func() {
				defer func() { <-places }()
				c.answer(ctx, conn)
			})
		default:
			conn.Close()
		}
	}
}

// answer says who is here to whoever asks, hears who that is, and then passes on what it says.
func (c *channel) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(channelHello))
	var nonce, own [channelNonce]byte
	if _, err := io.ReadFull(conn, nonce[:]); err != nil {
		return
	}
	rand.Read(own[:])
	hello := binary.BigEndian.AppendUint64(nil, c.boot)
	hello = appendText(append(hello, own[:]...), c.node)
	if _, err := conn.Write(append(hello, channelMAC(c.firstKey(), nonce[:], hello)...)); err != nil {
		return
	}
	hello, name, tag, err := readHello(conn, 8)
	if err != nil {
		return
	}
	key, ok := c.keyOf(own[:], hello, tag)
	if !ok {
		c.log.Debug("state channel: who connected does not hold the balancer key", "from", conn.RemoteAddr())
		return
	}
	conn.SetDeadline(time.Time{})
	c.listen(conn, name, binary.BigEndian.Uint64(hello), newFrames(key, nonce[:], own[:]))
}

// listen passes on what a peer says until the connection ends.
func (c *channel) listen(conn net.Conn, node string, boot uint64, f *frames) {
	for {
		body, err := f.read(conn)
		var t talk
		if err == nil {
			t, err = parseTalk(body)
		}
		machines := t.message != nil || t.where != nil
		if err == nil && !machines {
			err = c.beside(node, boot, t)
		}
		switch {
		case errors.Is(err, errTalk):
			c.log.Warn("state channel", "peer", node, "err", err)
			return
		case err != nil:
			return
		}
		if machines {
			c.emit(peerSaid{node, boot, t})
		}
	}
}

func (c *channel) firstKey() []byte {
	keys := *c.keys.Load()
	if len(keys) == 0 {
		return nil
	}
	return keys[0]
}

// keyOf returns the key that made the tag.
func (c *channel) keyOf(nonce, hello, tag []byte) (key []byte, ok bool) {
	keys := *c.keys.Load()
	if len(keys) == 0 {
		keys = [][]byte{nil}
	}
	for _, key := range keys {
		if hmac.Equal(tag, channelMAC(key, nonce, hello)) {
			return key, true
		}
	}
	return nil, false
}

// readHello reads head bytes, a name and a tag; hello is all but the tag.
func readHello(r io.Reader, head int) (hello []byte, name string, tag []byte, err error) {
	hello = make([]byte, head+1)
	if _, err := io.ReadFull(r, hello); err != nil {
		return nil, "", nil, err
	}
	n := int(hello[head])
	rest := make([]byte, n+channelTag)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, "", nil, err
	}
	if n == 0 || n > election.MaxNameLen {
		return nil, "", nil, errors.New("a peer without a proper name")
	}
	return append(hello, rest[:n]...), string(rest[:n]), rest[n:], nil
}

// channelMAC proves that hello answers nonce. Without a key it proves nothing.
func channelMAC(key, nonce, hello []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("tandem state channel"))
	m.Write(nonce)
	m.Write(hello)
	return m.Sum(nil)[:channelTag]
}

// follow keeps a connection to each of these peers, and to no other. The goroutines belong
// to g and end with ctx.
func (c *channel) follow(ctx context.Context, g *errgroup.Group, peers map[netip.AddrPort]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, cancel := range c.peers {
		if _, wanted := peers[p]; !wanted {
			cancel()
			delete(c.peers, p)
		}
	}
	for p := range peers {
		if c.peers[p] == nil {
			ctx, cancel := context.WithCancel(ctx)
			c.peers[p] = cancel
			g.Go(func() error { c.watch(ctx, p); return nil })
		}
	}
}

// watch connects to one peer again and again, and reports when a connection that stood has
// ended and a new one is refused.
func (c *channel) watch(ctx context.Context, peer netip.AddrPort) {
	for ctx.Err() == nil {
		node, boot, err := c.attend(ctx, peer)
		if err == nil && ctx.Err() == nil && c.refuses(ctx, peer) {
			c.log.Warn("the keeper of a peer is gone", "peer", node, "addr", peer.Addr())
			c.emit(peerGone{node, boot})
		}
		select {
		case <-ctx.Done():
		case <-time.After(channelRedial):
		}
	}
}

// attend stays connected to a peer. A nil error means that the connection stood, the peer
// proved who it is, and it has ended.
func (c *channel) attend(ctx context.Context, peer netip.AddrPort) (node string, boot uint64, err error) {
	d := net.Dialer{Timeout: channelDial, KeepAlive: 15 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", peer.String())
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(channelHello))
	met, err := c.meet(conn)
	if err != nil {
		c.log.Debug("state channel", "peer", peer, "err", err)
		return "", 0, err
	}
	conn.SetDeadline(time.Time{})
	c.speak(conn, peer, met)
	return met.node, met.boot, nil
}

func (c *channel) setConnected(peer netip.AddrPort, l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l == nil {
		delete(c.up, peer)
		return
	}
	c.up[peer] = l
	c.ups++
}

// connected says whether the channel to a peer stands.
func (c *channel) connected(peer netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up[peer] != nil
}

// stands says whether any channel to this node and boot does.
func (c *channel) stands(node string, boot uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.up {
		if l.node == node && l.boot == boot {
			return true
		}
	}
	return false
}

// acquaintance is what a peer has proved.
type acquaintance struct {
	node   string
	boot   uint64
	frames *frames
}

// greet asks who is there.
func (c *channel) greet(conn net.Conn) (node string, boot uint64, err error) {
	met, err := c.meet(conn)
	return met.node, met.boot, err
}

// meet is greet, and says who asks.
func (c *channel) meet(conn net.Conn) (acquaintance, error) {
	var nonce [channelNonce]byte
	rand.Read(nonce[:])
	if _, err := conn.Write(nonce[:]); err != nil {
		return acquaintance{}, err
	}
	hello, name, tag, err := readHello(conn, 8+channelNonce)
	if err != nil {
		return acquaintance{}, err
	}
	key, ok := c.keyOf(nonce[:], hello, tag)
	if !ok {
		return acquaintance{}, errors.New("the peer does not hold the balancer key")
	}
	its := hello[8 : 8+channelNonce]
	own := appendText(binary.BigEndian.AppendUint64(nil, c.boot), c.node)
	if _, err := conn.Write(append(own, channelMAC(key, its, own)...)); err != nil {
		return acquaintance{}, err
	}
	return acquaintance{name, binary.BigEndian.Uint64(hello), newFrames(key, nonce[:], its)}, nil
}

// refuses says whether a peer's kernel turns a new connection away. A dying process closes
// its sockets one after the other: a connection may still be taken that nobody answers.
func (c *channel) refuses(ctx context.Context, peer netip.AddrPort) bool {
	d := net.Dialer{Timeout: channelRefusal}
	for range channelTries {
		conn, err := d.DialContext(ctx, "tcp", peer.String())
		if errors.Is(err, unix.ECONNREFUSED) {
			return true
		}
		if err == nil {
			conn.SetDeadline(time.Now().Add(channelRefusal))
			_, _, err = c.greet(conn)
			conn.Close()
			if err == nil {
				return false // it lives: the connection was cut
			}
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(channelPause):
		}
	}
	return false
}
