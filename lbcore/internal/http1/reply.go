package http1

import "strconv"

// Reply says how a response goes on to the client. All text is written as it is: it must not hold CR or LF.
type Reply struct {
	Minor     int     // the client's: 0 or 1, from Request.Minor
	KeepAlive bool    // the client's connection stays open after this response
	Date      []byte  // IMF-fixdate to add where the backend gave no Date (RFC 9110, 6.6.1); empty: none is added
	Via       []byte  // our pseudonym, appended as in Forward; empty: left out
	Trailers  bool    // trailers go on, and Trailer with them
	Set       *Fields // that the final response is given; nil: none
	Cookie    []byte  // a Set-Cookie line with its CRLF that the final response gains; empty: none
}

// Framing is how the body of r must be framed for the client: as it came, but chunked and UntilClose bodies become
// Chunked for HTTP/1.1 and UntilClose for HTTP/1.0 clients. With UntilClose the connection must be closed at
// the end; AppendResponse says Connection: close then whatever KeepAlive is.
func (p *Reply) Framing(r *Response) Body {
	switch {
	case r.Body.Kind < Chunked:
		return r.Body
	case p.Minor == 0:
		return Body{Kind: UntilClose}
	}
	return Body{Kind: Chunked}
}

// AppendResponse appends the head to send to the client, always HTTP/1.1 (RFC 9110, 2.5), without hop-by-hop fields
// and those that Connection names, framed as Framing says. An interim response goes to no HTTP/1.0 client (RFC
// 9110, 15.2): nothing is appended then.
func AppendResponse(dst []byte, r *Response, p *Reply) []byte {
	if r.Interim() && p.Minor == 0 {
		return dst
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, r.Reason...)
	dst = append(dst, "\r\n"...)
	if !r.Interim() {
		p.Set.replaces(&r.head)
	}
	drop := hopByHop | 1<<fieldContentLength
	if p.Trailers {
		drop &^= 1 << fieldTrailer
	}
	dst = r.appendFields(dst, drop)
	switch {
	case r.Upgrade != nil:
		dst = appendUpgrade(append(p.Set.Append(dst), p.Cookie...), r.Upgrade)
		fallthrough
	case r.Interim():
		return append(dst, "\r\n"...)
	}
	if len(p.Date) > 0 && !r.seen.has(fieldDate) {
		dst = appendField(dst, "Date: ", p.Date)
	}
	dst = appendVia(dst, r.Minor, p.Via)
	dst = append(p.Set.Append(dst), p.Cookie...)

	body := p.Framing(r)
	if body.Kind == None && r.ContentLength >= 0 && !r.noContent() { // HEAD and 304: RFC 9110, 8.6
		dst = appendFraming(dst, Body{Kind: Length, Length: r.ContentLength})
	}
	dst = appendFraming(dst, body)
	switch {
	case !p.KeepAlive || body.Kind == UntilClose:
		dst = append(dst, "Connection: close\r\n"...)
	case p.Minor == 0:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// ChunkEnd follows the content of each chunk; LastChunk ends a chunked body (no trailers).
const (
	ChunkEnd  = "\r\n"
	LastChunk = "0\r\n\r\n"
)

// AppendChunkHeader appends the line that begins a chunk of size > 0 bytes; ChunkEnd goes behind its content.
func AppendChunkHeader(dst []byte, size int) []byte {
	dst = strconv.AppendUint(dst, uint64(size), 16)
	return append(dst, "\r\n"...)
}

// AppendChunk appends a whole chunk; nothing if data is empty, as an empty chunk would end the body.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	dst = AppendChunkHeader(dst, len(data))
	dst = append(dst, data...)
	return append(dst, ChunkEnd...)
}
