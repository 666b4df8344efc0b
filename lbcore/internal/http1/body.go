package http1

// BodyKind says how the end of a body is found (RFC 9112, 6.3).
type BodyKind uint8

// The kinds of body.
const (
	None       BodyKind = iota // no body at all
	Length                     // Content-Length bytes, possibly 0
	Chunked                    // chunked transfer coding
	UntilClose                 // responses only: everything until the connection ends
)

// Body is the framing of a message body.
type Body struct {
	Kind   BodyKind
	Length int64 // bytes, for Kind Length
}

// A BodyReader finds the content in the bytes of a body. The zero value has no body.
type BodyReader struct {
	body Body
}

// Reset makes b ready for a new body. limit is the greatest number of content bytes (413 beyond), 0 for none;
// response makes every error a 502.
func (b *BodyReader) Reset(body Body, limit int64, response bool) { panic("coming") }

// Next takes the next bytes of the wire: it consumes n of them, of which data (a slice of in, possibly
// empty) is content. Call again with the rest until n == 0 or done. done is true when the last byte of the body
// has been consumed (at once for an empty one), never for UntilClose; n never goes beyond the body.
func (b *BodyReader) Next(in []byte) (data []byte, n int, done bool, err *Error) { panic("coming") }

// EOF is to be called when the connection ended: nil if the body was complete or goes UntilClose, else "truncated".
func (b *BodyReader) EOF() *Error { panic("coming") }

// Done says that the body has been read to its end.
func (b *BodyReader) Done() bool { panic("coming") }

// Raw is the number of bytes that follow on the wire and are content without framing between them: the rest of
// a Length body or of the current chunk, math.MaxInt64 for UntilClose. They may be moved by other means (splice):
// then call Advance.
func (b *BodyReader) Raw() int64 { panic("coming") }

// Advance tells b that n ≤ Raw() bytes of content were moved past it.
func (b *BodyReader) Advance(n int64) { panic("coming") }
