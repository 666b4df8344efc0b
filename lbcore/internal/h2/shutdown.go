package h2

import "golang.org/x/net/http2"

// leavePing marks the PING that goes with the first GOAWAY: its answer says that the peer has read that.
var leavePing = [8]byte{'g', 'o', 'o', 'd', ' ', 'b', 'y', 'e'}

// BeginLeaving asks the client to open no more streams; those that are on their way are still served (RFC 9113, 6.8). The
// answer to a PING, or Leave, ends that.
func (c *Conn) BeginLeaving() {
	if c.leaving || !c.cfg.Server {
		return
	}
	c.leaving = true
	_ = c.fr.WriteGoAway(maxStreamID, http2.ErrCodeNo, nil)
	_ = c.fr.WritePing(false, leavePing)
}

// Leave says which stream was the last. The connection is to be closed once there is none.
func (c *Conn) Leave() {
	if c.left {
		return
	}
	c.leaving, c.left = true, true
	_ = c.fr.WriteGoAway(c.lastPeer, http2.ErrCodeNo, nil)
}

// Leaving says that BeginLeaving or Leave was called; Over, that the connection has nothing more to do: one side has
// said that it goes, and no stream is open.
func (c *Conn) Leaving() bool { return c.leaving }

// Over says that one side has said that it goes, and that no stream is open.
func (c *Conn) Over() bool { return (c.left || c.gone) && len(c.streams) == 0 }

// Gone says that the peer has sent GOAWAY: it takes no more streams.
func (c *Conn) Gone() bool { return c.gone }

// goAway is the peer's. A server has not acted upon streams behind the last that it names.
func (c *Conn) goAway(f *http2.GoAwayFrame) {
	c.gone = true
	if c.cfg.Server {
		return
	}
	for id, s := range c.streams {
		if id > f.LastStreamID {
			s.wasReset, s.refused, s.code = true, true, http2.ErrCodeRefusedStream
			s.close()
			c.lost = append(c.lost, s)
		}
	}
}

// Lost returns a stream that has ended by the peer's GOAWAY, each once; nil if there is none.
func (c *Conn) Lost() *Stream {
	if len(c.lost) == 0 {
		return nil
	}
	s := c.lost[0]
	c.lost = c.lost[1:]
	return s
}
