package http1

import "math"

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
	Length int64 // bytes, for Kind Length; else 0
}

// A BodyReader finds the content in the bytes of a body. The zero value has no body. It keeps no bytes.
type BodyReader struct {
	kind     BodyKind
	response bool
	chunk    chunkReader
	left     int64 // content bytes to come: of a Length body, or of the chunk
}

// Reset makes b ready for a new body. limit is the greatest number of content bytes of a chunked body (413
// beyond; a Length is judged by Parse), 0 for none; response makes every error a 502.
func (b *BodyReader) Reset(body Body, limit int64, response bool) {
	*b = BodyReader{kind: body.Kind, response: response, left: body.Length, chunk: chunkReader{limit: limit}}
	if body.Kind == UntilClose {
		b.left = math.MaxInt64
	}
}

// Next takes the next bytes of the wire: it consumes n of them, of which data (a slice of in, possibly
// empty) is content. Call again with the rest until n == 0 or done. done is true when the last byte of the body
// has been consumed (at once for an empty one), never for UntilClose; n never goes beyond the body. Content before
// the place of an error is delivered first. After an error b is good for nothing but Reset.
func (b *BodyReader) Next(in []byte) (data []byte, n int, done bool, err *Error) {
	switch b.kind {
	case Chunked:
		return b.nextChunked(in)
	case UntilClose:
		return in, len(in), false, nil
	}
	n = int(min(int64(len(in)), b.left))
	b.left -= int64(n)
	return in[:n], n, b.left == 0, nil
}

// nextChunked stops before the content of a second chunk.
func (b *BodyReader) nextChunked(in []byte) (data []byte, n int, done bool, err *Error) {
	for n < len(in) && b.chunk.state != chunkDone {
		if b.left > 0 {
			if len(data) > 0 {
				break
			}
			m := int(min(int64(len(in)-n), b.left))
			data = in[n : n+m]
			n += m
			b.Advance(int64(m))
			continue
		}
		if c := b.chunk.step(in[n]); c != ok {
			if len(data) > 0 {
				break // the next call meets it again
			}
			return nil, n, false, b.fail(c)
		}
		n++
		if b.chunk.state == chunkData {
			b.left = int64(b.chunk.size)
		}
	}
	return data, n, b.chunk.state == chunkDone, nil
}

func (b *BodyReader) fail(c code) *Error {
	if b.response {
		return &badGateway[c]
	}
	return &refused[c]
}

// EOF is to be called when the connection ended: nil if the body was complete or goes UntilClose, else "truncated".
func (b *BodyReader) EOF() *Error {
	if b.Done() || b.kind == UntilClose {
		return nil
	}
	return b.fail(truncated)
}

// Done says that the body has been read to its end.
func (b *BodyReader) Done() bool {
	if b.kind == Chunked {
		return b.chunk.state == chunkDone
	}
	return b.left == 0
}

// Raw is the number of bytes that follow on the wire and are content without framing between them: the rest of
// a Length body or of the current chunk, math.MaxInt64 for UntilClose. They may be moved by other means (splice):
// then call Advance.
func (b *BodyReader) Raw() int64 { return b.left }

// Advance tells b that n ≤ Raw() bytes of content were moved past it.
func (b *BodyReader) Advance(n int64) {
	if b.kind == UntilClose {
		return
	}
	b.left -= n
	if b.left == 0 && b.kind == Chunked {
		b.chunk.state = chunkCR
	}
}
