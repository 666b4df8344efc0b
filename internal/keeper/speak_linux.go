package keeper

import (
	"io"
	"net"
	"net/netip"
	"time"
)

// line is a connection that stands, and what is still to be said on it.
type line struct {
	node string
	boot uint64
	conn net.Conn
	out  chan []byte // bodies
	bulk chan []byte // those that have time, and may be lost
}

// speak says what is to be said until the connection ends.
func (c *channel) speak(conn net.Conn, peer netip.AddrPort, met acquaintance) {
	l := &line{node: met.node, boot: met.boot, conn: conn, out: make(chan []byte, talkQueue), bulk: make(chan []byte, talkBatches)}
	if c.introduce != nil {
		for _, t := range c.introduce() {
			l.say(t)
		}
	}
	c.setConnected(peer, l)
	c.emit(peerLinked{met.node, met.boot, true})
	defer func() {
		c.setConnected(peer, nil)
		c.emit(peerLinked{met.node, met.boot, false})
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, conn) // nothing comes this way but its end
	}()
	for {
		body := l.next(ended)
		if body == nil {
			return
		}
		conn.SetWriteDeadline(time.Now().Add(channelHello))
		if _, err := conn.Write(met.frames.seal(body)); err != nil {
			conn.Close()
			<-ended
			return
		}
	}
}

// next waits for what is to be said; nil at the end. What a machine says never waits for bulk.
func (l *line) next(ended <-chan struct{}) []byte {
	select {
	case body := <-l.out:
		return body
	default:
	}
	select {
	case <-ended:
		return nil
	case body := <-l.out:
		return body
	case body := <-l.bulk:
		return body
	}
}

// say queues it, or loses it.
func (l *line) say(t talk) {
	select {
	case l.out <- appendTalk(nil, t):
	default:
	}
}

// tell says something to this node and boot, if a connection stands. It never blocks.
func (c *channel) tell(node string, boot uint64, t talk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.up {
		if l.node == node && l.boot == boot {
			l.say(t)
			return
		}
	}
}

// spread says something that may be lost to whoever listens, and returns how many it was lost
// for. It never blocks.
func (c *channel) spread(t talk) (lost int) {
	body := appendTalk(nil, t)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.up {
		select {
		case l.bulk <- body:
		default:
			lost++
		}
	}
	return lost
}

// listeners returns how many peers listen now, and how many have begun to so far.
func (c *channel) listeners() (now int, ever uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.up), c.ups
}

// renew ends the connections to earlier lives of a node: one that lost its power never closed
// them, and nothing else would tell for long.
func (c *channel) renew(node string, boot uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.up {
		if l.node == node && l.boot != boot {
			l.conn.Close()
		}
	}
}
