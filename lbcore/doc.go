// Package lbcore is the proxy core: it takes HTTP requests and TCP connections from listening
// sockets that somebody else made, picks a backend, and streams the answer
// back.
//
// # What it promises
//
//   - Run to completion. Each [Config].Loops is one locked OS thread with its
//     own epoll, listeners, client and backend sockets, buffers, timers and
//     counters. Loops share nothing that is written per request, take no
//     contended lock and allocate nothing per request in steady state, but where
//     limits by source are on: these hold for all loops together.
//
//   - A stuck loop keeps no new client: within about a tenth of a second the
//     others accept from its listeners too. Those that it has wait for its end.
//
//   - Bounded memory. An idle connection holds no buffer; a stalled one holds
//     at most 72 KiB per direction, and 64 KiB of requests sent ahead. Bodies of
//     any size are streamed both ways; who writes faster than the other side
//     reads is not read from. Those with a length are spliced from 32 KiB on, in
//     at most 64 pipes of 1 MiB per loop; further ones are copied.
//
//   - Bounded time. Each phase of a connection has its timeout, and a client that
//     dribbles a body, or takes an answer drop by drop, a least rate.
//
//   - Strict HTTP (RFC 9112, RFC 9113). What two parsers could read differently is
//     refused (400, 413, 414, 431, 501, 505) and the connection closed.
//
//   - What a client says of itself in Forwarded or X-Forwarded-* is removed, unless it is
//     a proxy that [FrontendConfig].Trusted names.
//
//   - What a source may do is bounded where [SourceLimits] or a rule says so, in tables
//     of fixed size that forget whoever has asked least: see internal/limit.
//
//   - A request is sent again only when no backend can have acted upon it, or
//     when it may be repeated (RFC 9110, 9.2.2): see retry.go.
//
//   - A drain breaks nothing: [Proxy.Drain] ends each connection behind an answer
//     that says so, and never an idle one under its client's next request.
//
//   - A set is whole. [Proxy.SetFrontends], [Proxy.SetPools] and [Pool.Set] take
//     all there is; what stays keeps its state, what left ends its requests in
//     flight first. Each may be called at any time, also before Run.
//
//   - TLS with clients and backends is crypto/tls on the loops: only the handshake
//     runs in a goroutine, at most 1000 per loop for clients. What TLS has sealed and
//     the socket does not take stays below 64 KiB per direction. Sessions resume on
//     each balancer with the same secret: see tickets.go.
//
//   - HTTP/2 with clients and backends (RFC 9113): each stream is, on the inside, a connection of
//     HTTP/1.1 with one request, so that every rule, limit, counter and timeout is the same. A
//     client cannot have more of a body held than its windows; who costs more than it asks for is
//     sent away. See internal/h2.
//
//   - A TCP frontend passes bytes on as they are, and the server may speak first. It may
//     route by the server name in a TLS greeting without terminating TLS.
//
//   - A PROXY header is read from networks that are trusted, and from no others.
//
// # How to use it
//
//	p, err := lbcore.New(lbcore.Config{Log: log})
//	err = p.SetPools([]lbcore.PoolConfig{{Name: "web"}})
//	err = p.SetFrontends([]lbcore.FrontendConfig{{Name: "http", Listeners: fds, Pool: "web"}})
//	p.Pool("web").Set([]lbcore.BackendConfig{{ID: "s1", Addr: addr}})
//	err = p.Run(ctx) // until ctx ends
//
// GOMAXPROCS must be at least Loops+1, since each loop occupies a thread;
// Run raises it when it is lower. Listeners are best made with
// TCP_DEFER_ACCEPT: a request is read in the moment its connection is accepted.
//
// # Who owns what
//
// [Proxy.Run] starts one goroutine per loop and one per backend (its checker),
// and returns when all have ended. A loop owns its connections and is told
// everything else by message. A checker owns the health of its backend; loops
// only report to it. What a loop reads about a pool is an immutable view behind
// one atomic pointer.
//
// # Choices
//
//   - Expect: 100-continue is forwarded to the backend, whose interim answers
//     (every 1xx but 101) are forwarded to the client: only the backend knows
//     whether it wants the body. A backend that never answers it gets the body
//     when the client sends it anyway (RFC 9110, 10.1.1).
//   - A backend that vanishes is found out by the first of: a refused or
//     unanswered handshake; bytes unacknowledged for as long as a handshake may
//     take (TCP_USER_TIMEOUT); a check that gets no answer. Each moves what may
//     be moved. A backend that answers its check with a bad status is given no
//     new requests but keeps those it has: it may be about to stop.
//   - Upgrade is forwarded, but never to HTTP/2 (h2c): requests inside it would
//     pass every rule by. A tunnel begins when the backend has the whole request
//     and answers 101 with a protocol that was asked for; any other 101 is a 502.
//     Each direction ends by itself; a reset on one side resets the other.
//   - A client that closes its sending side while it waits is given
//     [FrontendTimeouts].HalfClose to be answered (tools such as `nc` do
//     that), then its request is taken as aborted and the backend's connection
//     is closed. A reset aborts at once.
//   - A client or backend that ends its TLS connection without close_notify has ended
//     it in order where the framing says so, or in a tunnel; a body that ends with the
//     backend's connection is cut off then (RFC 9112, 9.8).
//   - Trailers go on where HTTP/2 is spoken with who gets them, and the message has no
//     Content-Length; else they are dropped. A body that ends with the backend's connection is
//     re-framed as chunked for HTTP/1.1 clients.
//
// The engine needs Linux. Elsewhere the package compiles, its pure parts work,
// and [New] returns an error.
package lbcore
