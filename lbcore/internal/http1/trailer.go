package http1

import "bytes"

// notInTrailers frames, routes, belongs to a connection, or is a proxy's word about the client: behind a body it would
// come too late to be seen, and after others have acted (RFC 9110, 6.5.1).
const notInTrailers = hopByHop | rewritten | forwarded

// KeepTrailers is to be called after Reset: the trailer fields of a chunked body are kept then, for AppendEnd. Those
// that may not stand there are left out. They are at most 8 KiB.
func (b *BodyReader) KeepTrailers() { b.chunk.keep = true }

// Trailers returns the field lines that were kept, once Done: each name, colon, value, CRLF. It is good until Reset.
func (b *BodyReader) Trailers() []byte { return b.chunk.trailer }

// AppendEnd appends the end of a chunked body, with the trailer fields that were kept.
func (b *BodyReader) AppendEnd(dst []byte) []byte {
	if len(b.chunk.trailer) == 0 {
		return append(dst, LastChunk...)
	}
	dst = append(dst, LastChunk[:len("0\r\n")]...)
	dst = append(dst, b.chunk.trailer...)
	return append(dst, "\r\n"...)
}

// keepLine judges the trailer line that has just ended.
func (r *chunkReader) keepLine() {
	name, _, _ := bytes.Cut(r.trailer[r.line:], []byte{':'})
	if id, alias := lookup(name); alias || notInTrailers.has(id) {
		r.trailer = r.trailer[:r.line]
	}
	r.line = len(r.trailer)
}

// EachField calls f with name and value of each field line in lines, as Trailers returns them.
func EachField(lines []byte, f func(name, value []byte)) {
	for len(lines) > 0 {
		line, rest, _ := bytes.Cut(lines, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte{':'})
		f(name, trim(value))
		lines = rest
	}
}
