// Package syslog sends lines to a collector as messages of RFC 5424: over UDP (RFC 5426), TCP with octet counting
// (RFC 6587, 3.4.1) or TLS (RFC 5425).
//
// It promises:
//   - [Sender.Send] never blocks. What the collector does not take waits in a bounded buffer; then the oldest is
//     dropped, counted, and the collector told how much, as soon as it takes messages again.
//   - A connection that fails is made anew, after a pause that grows from 100 ms to 30 s; the name is resolved again
//     each time. Over TCP and TLS the message whose sending failed is sent again.
//   - Nothing is sent in the clear where TLS is asked for, and the collector's certificate is verified.
//
// Syslog has no acknowledgement: what the kernel had taken when a connection broke may be lost, and of UDP any of it.
// A collector that closes its end is noticed at once, so that little is.
//
// Run owns the connection and returns when it is closed.
package syslog
