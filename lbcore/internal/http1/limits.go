package http1

// Limits bound what one message may cost. They apply to requests and responses alike.
type Limits struct {
	Head   int   // bytes of start line and fields with their line ends, at most MaxHead; more: 431. Default 16384
	Line   int   // bytes of the request or status line without CRLF; more: 414. Default 8192
	Fields int   // number of field lines; more: 431. Default 100
	Body   int64 // bytes of a request's body, decoded; more: 413. 0 means no limit (the default)
}

// MaxHead is the greatest Limits.Head in bytes: fields are kept as 16-bit offsets.
const MaxHead = 1<<16 - 1

// DefaultLimits are used where a nil *Limits is given.
var DefaultLimits = Limits{Head: 16384, Line: 8192, Fields: 100}
