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
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// The state channel is a TCP connection from each keeper to each other one, on the adverts'
// port. Nothing is said on it but who is there: what counts is its end (E7). A kernel whose
// keeper has died closes the connection and refuses the next one within a millisecond, long
// before an advert is missed. It is a hint only: a firewall can do the same.
const (
	channelNonce   = 16
	channelTag     = 16 // HMAC-SHA256, truncated
	channelHello   = 2 * time.Second
	channelRedial  = time.Second            // between attempts to reach a peer that is not there
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

// channel is this node's side of all state channels.
type channel struct {
	node     string
	boot     uint64
	port     uint16
	keys     [][]byte
	listener net.Listener
	emit     func(event)
	log      *slog.Logger

	mu    sync.Mutex // protects what follows
	peers map[netip.AddrPort]context.CancelFunc
	up    map[netip.AddrPort]bool // connections that stand
}

func openChannel(node string, boot uint64, port uint16, keys [][]byte, log *slog.Logger) (*channel, error) {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, fmt.Errorf("state channel: %w; advert_port changes the port", err)
	}
	return &channel{
		node: node, boot: boot, port: port, keys: keys, listener: l, log: log,
		peers: make(map[netip.AddrPort]context.CancelFunc), up: make(map[netip.AddrPort]bool),
	}, nil
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

// answer says who is here to whoever asks, and then waits for the end.
func (c *channel) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(channelHello))
	var nonce [channelNonce]byte
	if _, err := io.ReadFull(conn, nonce[:]); err != nil {
		return
	}
	hello := binary.BigEndian.AppendUint64(nil, c.boot)
	hello = append(append(hello, byte(len(c.node))), c.node...)
	var key []byte
	if len(c.keys) > 0 {
		key = c.keys[0]
	}
	if _, err := conn.Write(append(hello, channelMAC(key, nonce[:], hello)...)); err != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	io.Copy(io.Discard, io.LimitReader(conn, 1)) // nobody says more: its end, or its excess
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
	d := net.Dialer{Timeout: channelHello, KeepAlive: 15 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", peer.String())
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(channelHello))
	if node, boot, err = c.greet(conn); err != nil {
		c.log.Debug("state channel", "peer", peer, "err", err)
		return "", 0, err
	}
	conn.SetDeadline(time.Time{})
	c.setConnected(peer, true)
	io.Copy(io.Discard, conn)
	c.setConnected(peer, false)
	return node, boot, nil
}

func (c *channel) setConnected(peer netip.AddrPort, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up[peer] = is; !is {
		delete(c.up, peer)
	}
}

// connected says whether the channel to a peer stands.
func (c *channel) connected(peer netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up[peer]
}

// greet asks who is there.
func (c *channel) greet(conn net.Conn) (node string, boot uint64, err error) {
	var nonce [channelNonce]byte
	rand.Read(nonce[:])
	if _, err := conn.Write(nonce[:]); err != nil {
		return "", 0, err
	}
	hello := make([]byte, 9)
	if _, err := io.ReadFull(conn, hello); err != nil {
		return "", 0, err
	}
	rest := make([]byte, int(hello[8])+channelTag)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return "", 0, err
	}
	name, tag := rest[:hello[8]], rest[hello[8]:]
	hello = append(hello, name...)
	keys := c.keys
	if len(keys) == 0 {
		keys = [][]byte{nil}
	}
	for _, key := range keys {
		if hmac.Equal(tag, channelMAC(key, nonce[:], hello)) {
			return string(name), binary.BigEndian.Uint64(hello), nil
		}
	}
	return "", 0, errors.New("the peer does not hold the balancer key")
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
