// Package web is what a balancer shows over HTTP on its status address: a page for people,
// and the metrics.
//
// It is to be looked at and changes nothing: only GET and HEAD are answered. Whoever's
// address is in none of the allowed networks is refused, before anything else. Connections,
// requests, those who follow the page, and times are bounded, so that nobody who looks can
// harm the balancer.
//
// The page is a few files that are embedded as they are: no build step, and nothing that it
// loads from elsewhere; its security policy forbids that, too. It is told what is new by
// server-sent events: one picture a second for all who follow, and one at once when
// something changes; none is made while nobody follows. What it shows is the cluster as
// [github.com/tandem-lb/tandem/internal/api.Cluster], in JSON, so it works on a backup as well.
package web
