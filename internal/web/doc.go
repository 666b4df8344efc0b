// Package web is what a balancer shows over HTTP on its status address: the metrics.
//
// It is to be looked at and changes nothing: only GET and HEAD are answered. Whoever's
// address is in none of the allowed networks is refused, before anything else. Connections,
// requests and times are bounded, so that nobody who looks can harm the balancer.
package web
