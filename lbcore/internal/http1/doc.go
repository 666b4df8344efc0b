// Package http1 is the strict, sans-I/O HTTP/1.1 codec of lbcore: bytes in, facts out, and heads to send on.
//
// It never reads, writes, waits, logs, starts a goroutine or looks at a clock, and in steady state it allocates
// nothing. Its values are not safe for concurrent use; whoever holds one owns it. RFC 9112 and RFC 9110 rule.
//
// # Use
//
// A [Request] or [Response] parses a head, a [BodyReader] finds the content behind it, [AppendRequest] and
// [AppendResponse] write the head that goes on, and [AppendChunk] frames content anew:
//
//	n, err := req.Parse(buf, limits)         // n == 0: more bytes are needed
//	body.Reset(req.Body, limit, false)
//	data, m, done, err := body.Next(buf[n:]) // content, and how many bytes it took
//	out = http1.AppendRequest(out[:0], &req, &http1.Forward{Client: addr, KeepAlive: true})
//	out = http1.AppendChunk(out, data)       // if req.Body.Kind == http1.Chunked
//
// All slices point into the caller's buffer. A head may arrive in any pieces and move between calls; the result is
// the same as if it came at once, and so is the work.
//
// # Promises
//
//   - A message that two parsers could read differently is refused, never repaired: both or repeated Content-Length
//     and Transfer-Encoding, codings other than a lone chunked, bare CR or LF, folded lines, control bytes, white
//     space before a colon, a missing, repeated or odd Host, names that differ from a known one in "_" for "-".
//   - What goes on is always HTTP/1.1 in origin-form with framing fields of our own; hop-by-hop fields, those that
//     Connection names, and trailers stay behind. Connection cannot remove Host, framing, or X-Forwarded-*.
//   - A client that is not trusted cannot say anything about itself through Forwarded or X-Forwarded-*.
//   - Every refusal has a status for the client and a stable name: see [Error]. Whatever a backend does wrong is a 502.
//   - Everything is bounded: see [Limits] for heads; 256 bytes of extensions per chunk; 8 KiB of trailers.
//
// # Where it is stricter than the RFCs, and where not
//
// Refused although a recipient may accept or mend them: identical repeated Content-Lengths, empty elements in
// Transfer-Encoding, a single LF as line end, and in responses folded lines and white space before a colon. A host
// is a name of letters, digits, ".", "-" and "_", or an address. A target is visible ASCII without "#", so bytes
// above 0x7f must be escaped; "\", "%00" and "%" without two hex digits are refused in its path, since servers
// disagree about them. Minor versions above 1 are 505.
//
// Accepted: bytes above 0x7f in field values, passed on as they are, and a status line without the space behind its
// code. A request with a coding that is not implemented gets 501 even if chunked does not follow, where RFC 9112, 6.3
// asks for 400.
//
// # Not here
//
// CONNECT is 501. Upgrade is reported to the caller, who says whether it goes on; a request in which it stands in
// several lines, or names HTTP/2 (h2c), goes on as plain HTTP. What follows a 101 is the caller's, and that it comes
// after the whole request. Max-Forwards is passed on unchanged. Limits on interim responses, timeouts and the closing of connections are the caller's:
// after any error, after a response framed [UntilClose], and after a body that was not read to its end.
package http1
