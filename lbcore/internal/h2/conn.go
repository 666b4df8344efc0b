package h2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Specification constants.
const (
	initialWindow = 65535     // RFC 9113, 6.9.2
	maxWindow     = 1<<31 - 1 // 6.9.1
	maxFrame      = 16384     // the least SETTINGS_MAX_FRAME_SIZE (4.2), and all that we take
	frameHeader   = 9         // 4.1
	maxStreamID   = 1<<31 - 1
	tableSize     = 4096 // of the dynamic table, both ways (RFC 7541, 4.2)
)

// Implementation constants.
const (
	// outMax is from how much of what waits on no stream writes more.
	outMax = 64 << 10
	// maxSettings bounds the entries of one SETTINGS frame.
	maxSettings = 64
	// resetsKept is how many streams that we have reset are remembered: what was on the way then is no error.
	resetsKept = 64
)

// Config is what a Conn is made of.
type Config struct {
	// Server says that the peer asks and we answer.
	Server bool
	// TLS is what :scheme says of requests that we send.
	TLS bool
	// MaxStreams is how many streams the peer may have open at once; more are refused (5.1.2).
	MaxStreams uint32
	// StreamWindow and ConnWindow are how many bytes of bodies the peer may send ahead, 65535 to 2^31-1.
	StreamWindow, ConnWindow int32
	// HeaderList bounds the fields of one message, in bytes with 32 more for each (6.5.2).
	HeaderList int
}

// An Error ends a connection. The peer has been told, in Out.
type Error struct {
	Code   http2.ErrCode
	Reason string
	// Flood, if not empty, says that the peer was sent away for what it cost: "resets", "frames", "headers".
	Flood string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("h2: %s (%s)", e.Reason, e.Code) }

// Conn is one HTTP/2 connection, of either side.
type Conn struct {
	// Out is what waits to be sent. Whoever sends takes away from its front; an empty one may be replaced by any with
	// more room.
	Out []byte
	// Stats only grow.
	Stats Stats

	cfg Config
	now time.Duration
	fr  *http2.Framer
	in  bytes.Reader

	streams  map[uint32]*Stream
	lastPeer uint32 // the highest stream that the client has opened
	nextID   uint32 // of the next stream that we open
	resets   [resetsKept]uint32
	nextRst  int

	block  block
	dec    *hpack.Decoder
	enc    *hpack.Encoder
	encBuf bytes.Buffer

	sendWindow int64 // of the connection
	recvWindow int64
	unsaid     int64 // bytes that have gone on, and the peer was not told yet
	peer       peerSettings

	preface int  // bytes of the client's that were seen
	greeted bool // the peer's SETTINGS have come
	leaving bool // GOAWAY was sent: new streams are still served
	left    bool // GOAWAY with the last stream was sent
	gone    bool // the peer has sent GOAWAY

	waiting []*Stream // for a window or room, the first of them first
	lost    []*Stream // see Lost

	resetBudget, frameBudget budget
}

// peerSettings are the peer's (6.5.2).
type peerSettings struct {
	window  int64
	frame   int
	streams uint32
}

// Stats count what happened on a connection.
type Stats struct {
	Streams uint64 // opened, by either side
	Refused uint64 // beyond MaxStreams
	// ResetsIn were sent by the peer, ResetsOut by us.
	ResetsIn, ResetsOut uint64
}

// New makes a connection. What it has to say first is in Out.
func New(cfg Config) *Conn {
	c := &Conn{
		cfg:        cfg,
		streams:    make(map[uint32]*Stream),
		nextID:     1,
		sendWindow: initialWindow,
		recvWindow: int64(cfg.ConnWindow),
		peer:       peerSettings{window: initialWindow, frame: maxFrame, streams: 100},

		resetBudget: budget{tokens: resetBurst, burst: resetBurst, rate: resetRate},
		frameBudget: budget{tokens: frameBurst, burst: frameBurst, rate: frameRate},
	}
	c.fr = http2.NewFramer((*output)(c), &c.in)
	c.fr.SetReuseFrames()
	c.fr.SetMaxReadFrameSize(maxFrame)
	c.dec = hpack.NewDecoder(tableSize, c.emit)
	c.enc = hpack.NewEncoder(&c.encBuf)
	c.enc.SetMaxDynamicTableSizeLimit(tableSize)
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: uint32(cfg.StreamWindow)},
		{ID: http2.SettingMaxHeaderListSize, Val: uint32(cfg.HeaderList)},
	}
	if cfg.Server {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: cfg.MaxStreams},
			http2.Setting{ID: http2.SettingNoRFC7540Priorities, Val: 1})
	} else {
		c.Out = append(c.Out, http2.ClientPreface...)
		settings = append(settings, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	}
	_ = c.fr.WriteSettings(settings...)
	if more := uint32(cfg.ConnWindow - initialWindow); more > 0 {
		_ = c.fr.WriteWindowUpdate(0, more)
	}
	return c
}

// output is where the Framer writes.
type output Conn

func (o *output) Write(p []byte) (int, error) {
	o.Out = append(o.Out, p...)
	return len(p), nil
}

// Streams is the number of those that are open.
func (c *Conn) Streams() int { return len(c.streams) }

// Greeted says that the peer has said what it has to say first.
func (c *Conn) Greeted() bool { return c.greeted }

// Unfinished says that a header block has begun, which must come to its end soon.
func (c *Conn) Unfinished() bool { return c.block.id != 0 }

// Next takes the frame at the start of in. n is how many bytes it took; 0 means that more are needed, which are at most
// 16 KiB and a little. s is the stream that it has changed, nil if none. After an error the connection is over.
func (c *Conn) Next(now time.Duration, in []byte) (n int, s *Stream, err *Error) {
	c.now = now
	if c.cfg.Server && c.preface < len(http2.ClientPreface) {
		n, err = c.readPreface(in)
		return n, nil, err
	}
	if len(in) < frameHeader {
		return 0, nil, nil
	}
	size := int(binary.BigEndian.Uint32(in) >> 8)
	if size > maxFrame {
		return 0, nil, c.fail(http2.ErrCodeFrameSize, "frame too large")
	}
	if !c.greeted && in[3] != byte(http2.FrameSettings) {
		return 0, nil, c.fail(http2.ErrCodeProtocol, "does not begin with SETTINGS")
	}
	n = frameHeader + size
	if len(in) < n {
		return 0, nil, nil
	}
	c.in.Reset(in[:n])
	f, ferr := c.fr.ReadFrame()
	if ferr != nil {
		s, err = c.badFrame(ferr)
		return n, s, err
	}
	s, err = c.frame(f)
	return n, s, err
}

func (c *Conn) readPreface(in []byte) (int, *Error) {
	want := http2.ClientPreface[c.preface:]
	n := min(len(in), len(want))
	if string(in[:n]) != want[:n] {
		return 0, c.fail(http2.ErrCodeProtocol, "no connection preface")
	}
	c.preface += n
	return n, nil
}

// badFrame deals with what the Framer refuses.
func (c *Conn) badFrame(err error) (*Stream, *Error) {
	if e, ok := err.(http2.StreamError); ok {
		return c.streamError(e.StreamID, e.Code)
	}
	code := http2.ErrCodeProtocol
	switch e := err.(type) {
	case http2.ConnectionError:
		code = http2.ErrCode(e)
	default:
		if err == http2.ErrFrameTooLarge {
			code = http2.ErrCodeFrameSize
		}
	}
	return nil, c.fail(code, "bad frame: "+err.Error())
}

// frame deals with a frame that is well-formed by itself.
func (c *Conn) frame(f http2.Frame) (*Stream, *Error) {
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.HeadersFrame:
		return c.headers(f)
	case *http2.ContinuationFrame:
		return c.continuation(f)
	case *http2.RSTStreamFrame:
		return c.reset(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.SettingsFrame:
		return nil, c.settings(f)
	case *http2.GoAwayFrame:
		c.goAway(f)
		return nil, nil
	case *http2.PingFrame:
		return nil, c.ping(f)
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID {
			return c.streamError(f.StreamID, http2.ErrCodeProtocol)
		}
	case *http2.PushPromiseFrame:
		return nil, c.fail(http2.ErrCodeProtocol, "PUSH_PROMISE")
	}
	return nil, c.spend() // and what is not known is ignored (4.1)
}

func (c *Conn) settings(f *http2.SettingsFrame) *Error {
	if f.IsAck() {
		if !c.greeted {
			return c.fail(http2.ErrCodeProtocol, "does not begin with SETTINGS")
		}
		return c.spend()
	}
	if f.NumSettings() > maxSettings {
		return c.flood("frames", "too many settings at once")
	}
	for i := range f.NumSettings() {
		s := f.Setting(i)
		if err := s.Valid(); err != nil {
			code := http2.ErrCodeProtocol
			if e, ok := err.(http2.ConnectionError); ok {
				code = http2.ErrCode(e)
			}
			return c.fail(code, "bad setting")
		}
		switch s.ID {
		case http2.SettingHeaderTableSize:
			c.enc.SetMaxDynamicTableSize(min(s.Val, tableSize))
		case http2.SettingInitialWindowSize:
			if err := c.resizeWindows(int64(s.Val)); err != nil {
				return err
			}
		case http2.SettingMaxFrameSize:
			c.peer.frame = min(int(s.Val), maxFrame)
		case http2.SettingMaxConcurrentStreams:
			c.peer.streams = s.Val
		case http2.SettingEnablePush:
			if !c.cfg.Server && s.Val != 0 {
				return c.fail(http2.ErrCodeProtocol, "a server that enables push")
			}
		}
	}
	c.greeted = true
	_ = c.fr.WriteSettingsAck()
	return c.spend()
}

func (c *Conn) ping(f *http2.PingFrame) *Error {
	if f.IsAck() {
		if c.leaving && f.Data == leavePing {
			c.Leave()
		}
		return c.spend()
	}
	_ = c.fr.WritePing(true, f.Data)
	return c.spend()
}

// fail ends the connection.
func (c *Conn) fail(code http2.ErrCode, reason string) *Error {
	_ = c.fr.WriteGoAway(c.lastPeer, code, nil)
	return &Error{Code: code, Reason: reason}
}
