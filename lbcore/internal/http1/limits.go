package http1

// Limits bound what one message may cost. They apply to requests and responses alike.
type Limits struct {
	Head   int   // bytes of start line and fields with their line ends, at most MaxHead; more: 431. Default 16384
	Line   int   // bytes of the request or status line without CRLF; more: 414. Default 8192
	Fields int   // number of field lines, at most MaxFields; more: 431. Default 100
	Body   int64 // Content-Length of a request, in bytes; more: 413. 0 means no limit (the default)
}

// Bounds that Limits cannot exceed; greater values count as these.
const (
	MaxHead   = 1<<16 - 1 // bytes: places in a head are kept in 16 bits
	MaxFields = 1<<12 - 1
)

// Implementation constants.
const (
	maxMethod   = 32   // bytes of a method; RFC 9112, 3: longer than any known one is 501
	maxOptions  = 32   // field names in Connection: each is compared with each field
	maxChunkExt = 256  // bytes of the extensions of one chunk (RFC 9112, 7.1.1)
	maxTrailer  = 8192 // bytes of the trailer section, which is dropped (RFC 9112, 7.1.2)
)

// DefaultLimits are used where a nil *Limits is given.
var DefaultLimits = Limits{Head: 16384, Line: 8192, Fields: 100}

func (l *Limits) orDefault() *Limits {
	if l == nil {
		return &DefaultLimits
	}
	return l
}
