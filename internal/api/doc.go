// Package api is the admin API of a balancer: HTTP with JSON bodies on a unix socket
// (default [DefaultSocket]), served by the control process, used by the commands of
// tandem and by whoever likes to.
//
//	GET /v1/status    Status     this node: election, processes, frontends, pools, members
//	GET /v1/cluster   Cluster    all balancers, each as it last said itself, and how long ago that was
//	GET /v1/members?node=  []Member  the cluster as gossip sees it, here or on another balancer
//	GET /v1/timeline?node=&since=&until=&kind=&group=&after=&limit=  Timeline  what happened on all balancers, or one, oldest first
//	GET /v1/why?of=&node=  Story  the last change of a VIP or group, with evidence and phases; or why a backend gets no requests
//	POST /v1/reload?dry_run=1  Reload  loads the configuration again, or only says what would change
//	GET /v1/logs?node=&run=&after=&last=&process=  LogPage  what an agent's processes have printed
//	GET /v1/template-data  what templates see (package render's Data)
//	GET /v1/events?event=&active=&run=&after=  WatchBegin and then events, one JSON object a line, as they happen; empty lines show that the balancer is there
//	POST /v1/handover?group=&to=  Done  the VIPs move to another node, without loss where that is possible
//	POST /v1/maint/on, /v1/maint/off  Done  this node hands its VIPs over and is no candidate any more, or is again
//	POST /v1/backend  BackendOrder → Done  a backend drains, is in maintenance, ready, or gets another weight
//	POST /v1/keys   KeyOrder → Keys   the gossip keys of the whole cluster, named by their fingerprints
//	POST /v1/join   []string → Done   looks for members at these places, once
//	POST /v1/event  Event    → Done   tells every member
//
// The socket's file mode is the access control: 0660, owned by the user that started the
// balancer. Every path carries the version; an answer never loses or renames a field
// within one version. Errors are [Error] objects with a remedy. Durations are
// nanoseconds, times are RFC 3339.
//
// A [Server] answers from a snapshot function; it owns no state and asks nobody.
package api
