// Package web is what a balancer shows over HTTP on its status address: a page for people,
// and the metrics.
//
// It is to be looked at and changes nothing, unless an admin token is configured: then whoever
// sends that token, in a header of its own and from this very page, may drain, maintain, weigh
// and hand over. Whoever's address is in none of the allowed networks is refused, before
// anything else, and so is who asks for the page by a name that it is not known by: an address
// is always one, a name that anybody can make is not. Connections,
// requests, those who follow the page, and times are bounded, so that nobody who looks can
// harm the balancer.
//
// The page is a few files that are embedded as they are: no build step, and nothing that it
// loads from elsewhere; its security policy forbids that, too. It is told what is new by
// server-sent events: one picture a second for all who follow, and one at once when
// something changes; none is made while nobody follows. What it shows is the cluster as
// [github.com/tandem-lb/tandem/internal/api.Cluster], in JSON, so it works on a backup as well.
package web
