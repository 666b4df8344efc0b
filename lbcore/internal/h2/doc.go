// Package h2 is the strict, sans-I/O HTTP/2 of lbcore (RFC 9113): bytes in, bytes out, and each stream's messages as
// HTTP/1.1 on the inside. So everything that lbcore does with a request, it does with one from HTTP/2 by the same code.
//
// It never reads, writes, waits, logs, starts a goroutine or looks at a clock. A [Conn] and its streams are not safe for
// concurrent use; whoever holds one owns it. Frames are read by x/net/http2's Framer, header blocks by its hpack.
//
// # Use
//
// [Conn.Next] takes one frame of what the peer has sent, and says which stream it has changed. [Stream.Read] gives the
// peer's message as HTTP/1.1 text, its body chunked where no Content-Length came. [Stream.Write] takes our message in
// the same form, as far as the peer's windows and the room in [Conn.Out] allow; [Conn.Writable] tells who may go on. What
// waits in Conn.Out is for the owner to send. The side that connects makes streams by [Conn.Open].
//
// # Promises
//
//   - What HTTP/1.1 could misread never becomes text: control bytes, upper case and connection-specific fields, doubled
//     or misplaced pseudo-fields, a Host that differs from :authority, a body that is not as long as Content-Length
//     said. Such a message is a stream error (RFC 9113, 8.1.1), and the text goes through package http1 after that.
//   - Real flow control: a window is given back when the body's bytes have gone on, not when they came. So what a
//     connection can make us hold is its window, and 64 KiB of frames to be sent.
//   - A header block is decoded as it comes, and gives up nothing that the limits do not allow.
//   - Fields with secrets are never put into the shared table of the other side (RFC 7541, 7.1.3).
//   - Whoever costs more than it asks for is sent away: see flood.go.
//
// # Not here
//
// Server push, priorities (read and ignored), CONNECT and extended CONNECT, upgrades from HTTP/1.1 (h2c by Upgrade).
package h2
