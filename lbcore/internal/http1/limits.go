package http1

import "cmp"

// Limits bound what one message may cost. They apply to requests and responses alike. The zero value means
// the defaults.
type Limits struct {
	Head   int   // bytes of start line and fields with their line ends; more: 431. 0 means DefaultHead, at most MaxHead
	Line   int   // bytes of the request or status line without CRLF; more: 414. 0 means DefaultLine
	Fields int   // number of field lines; more: 431. 0 means DefaultFields, at most MaxFields
	Body   int64 // Content-Length of a request, in bytes; more: 413. 0 means no limit
}

// Defaults of Limits, and bounds that it cannot exceed: greater values count as these.
const (
	DefaultHead   = 16 << 10
	DefaultLine   = 8 << 10
	DefaultFields = 100

	MaxHead   = 1<<16 - 1 // bytes: places in a head are kept in 16 bits
	MaxFields = 1<<12 - 1
)

// Implementation constants.
const (
	maxMethod   = 32   // bytes of a method; RFC 9112, 3: longer than any known one is 501
	maxOptions  = 32   // field names in Connection: each is compared with each field
	maxChunkExt = 256  // bytes of the extensions of one chunk (RFC 9112, 7.1.1)
	maxTrailer  = 8192 // bytes of the trailer section (RFC 9112, 7.1.2)
)

// resolved returns l with defaults and bounds applied; nil means the defaults.
func (l *Limits) resolved() Limits {
	if l == nil {
		l = &Limits{}
	}
	return Limits{
		Head:   min(cmp.Or(l.Head, DefaultHead), MaxHead),
		Line:   cmp.Or(l.Line, DefaultLine),
		Fields: min(cmp.Or(l.Fields, DefaultFields), MaxFields),
		Body:   l.Body,
	}
}
