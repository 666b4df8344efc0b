// Package e2e holds the tests of the whole: real processes of the real binary, in a lab of
// network namespaces, judged from outside by a client and by the kernels.
//
// Each test builds its own network, so tests do not share anything. They wait for
// conditions, with generous bounds, and measure nothing: figures come from the
// benchmarks.
package e2e
