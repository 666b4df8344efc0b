package lbcore

import "sync/atomic"

// HTTP2Counters only grow, but for Current.
type HTTP2Counters struct {
	Connections uint64 // that speak HTTP/2
	Current     int64  // current: those of them that are open
	Streams     uint64 // opened
	Refused     uint64 // of them: beyond MaxStreams
	ResetsIn    uint64 // streams that clients have reset
	ResetsOut   uint64 // streams that we have reset
	Leaves      uint64 // connections that were asked to go (GOAWAY): a drain, or a frontend that was left out
	Protocol    uint64 // connections that were ended for what the client has sent
	Floods      HTTP2Floods
}

// HTTP2Floods counts connections that were ended because they cost too much, by what they did.
type HTTP2Floods struct {
	Resets  uint64 // streams that came to nothing
	Frames  uint64 // frames that carry nothing
	Headers uint64 // header blocks without end
}

// http2Counts are written by one loop.
type http2Counts struct {
	connections, streams, refused, resetsIn, resetsOut, leaves atomic.Uint64
	protocol, floodResets, floodFrames, floodHeaders           atomic.Uint64
	current                                                    atomic.Int64
}

func (c *HTTP2Counters) add(n *http2Counts) {
	c.Connections += n.connections.Load()
	c.Current += n.current.Load()
	c.Streams += n.streams.Load()
	c.Refused += n.refused.Load()
	c.ResetsIn += n.resetsIn.Load()
	c.ResetsOut += n.resetsOut.Load()
	c.Leaves += n.leaves.Load()
	c.Protocol += n.protocol.Load()
	c.Floods.Resets += n.floodResets.Load()
	c.Floods.Frames += n.floodFrames.Load()
	c.Floods.Headers += n.floodHeaders.Load()
}
