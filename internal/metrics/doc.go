// Package metrics shows a balancer's [api.Status] to Prometheus: each metric is one row of a
// table with its name, what it means, its labels, and where in the status its value stands.
//
// What is scraped is computed at that moment from one status, so that its parts fit
// together, and nothing here counts by itself. The registry is its own; the library's
// default one is never touched, and nothing that a library registers there shows up.
//
// The number of series is bounded: labels are names out of the configuration, states and
// reasons out of fixed lists, peers (16 at most), and backends, of which [MaxBackends] are
// shown; tandem_backends_left_out says how many are not. No label is anything that a client
// sends.
//
// A keeper that has said nothing for [StaleAfter] is not believed any more: its groups' state
// is "unknown" then, and a peer that was not heard for so long is "unknown" too. A dead node
// never stays "active" for ever in a graph. How old each report is, is a metric of its own.
//
// deploy/docs/metrics.md lists all of them. It is generated from the table, and a test
// compares the two.
package metrics
