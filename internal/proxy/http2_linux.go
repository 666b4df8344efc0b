package proxy

import (
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/lbcore"
)

// This file belongs to apply_linux.go.

func http2Config(c ipc.HTTP2) lbcore.HTTP2Config {
	return lbcore.HTTP2Config{TLS: c.Enabled, H2C: c.H2C, MaxStreams: c.MaxStreams, StreamWindow: c.StreamWindow, Window: c.Window}
}

// http2State is nil for a frontend that has met none.
func http2State(c lbcore.HTTP2Counters) *ipc.HTTP2State {
	if c.Connections == 0 {
		return nil
	}
	return &ipc.HTTP2State{
		Connections: c.Connections, Current: c.Current, Streams: c.Streams,
		Resets: map[string]uint64{"client": c.ResetsIn, "refused": c.Refused, "own": c.ResetsOut - c.Refused},
		GoAways: map[string]uint64{
			"leaving": c.Leaves, "protocol": c.Protocol,
			"flood_resets": c.Floods.Resets, "flood_frames": c.Floods.Frames, "flood_headers": c.Floods.Headers,
		},
	}
}
