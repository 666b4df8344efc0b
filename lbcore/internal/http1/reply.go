package http1

// Reply says how a response goes on to the client.
type Reply struct {
	Minor     int    // the client's: 0 or 1, from Request.Minor
	HeadOnly  bool   // answers a HEAD
	KeepAlive bool   // the client's connection stays open after this response
	Date      []byte // IMF-fixdate to add where the backend gave no Date (RFC 9110, 6.6.1); empty: none is added
	Via       []byte // our pseudonym; empty: left out
}

// Framing is how the body of r must be framed for the client: as it came, but chunked and UntilClose bodies become
// Chunked for HTTP/1.1 and UntilClose for HTTP/1.0 clients. With UntilClose the connection must be closed at
// the end; AppendResponse says Connection: close then whatever KeepAlive is.
func (p *Reply) Framing(r *Response) Body { panic("coming") }

// AppendResponse appends the head to send to the client, always HTTP/1.1 (RFC 9110, 2.5), without hop-by-hop fields, framed as
// Framing says. An interim response is dropped for HTTP/1.0 clients: nothing is appended.
func AppendResponse(dst []byte, r *Response, p *Reply) []byte { panic("coming") }

// AppendChunkHeader appends the line that begins a chunk of size > 0 bytes; ChunkEnd goes behind its content.
func AppendChunkHeader(dst []byte, size int) []byte { panic("coming") }

// ChunkEnd follows the content of each chunk; LastChunk ends a chunked body (no trailers).
const (
	ChunkEnd  = "\r\n"
	LastChunk = "0\r\n\r\n"
)

// AppendChunk appends a whole chunk; nothing if data is empty.
func AppendChunk(dst, data []byte) []byte { panic("coming") }

// AppendError appends a whole small response with a text body (left out if headOnly), for statuses
// 400 403 404 408 411 413 414 417 421 429 431 500 501 502 503 504 505; others become 500.
// closeConn adds Connection: close.
func AppendError(dst []byte, status int, closeConn, headOnly bool) []byte { panic("coming") }

// Continue is the interim response 100 (Continue), whole.
const Continue = "HTTP/1.1 100 Continue\r\n\r\n"
