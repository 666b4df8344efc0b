// Package control is the operator's side of a balancer, in a process that owns nothing:
// it speaks gossip, knows the members, tells the proxy who is in each pool, and serves the
// admin API. Nothing that happens here can move a VIP or delay an advert.
//
// Its picture of the pools is never edited, only computed anew: every event of the
// cluster leads to each pool's whole list (members and static backends together), and the
// whole list goes to the proxy. So a lost event, a restart of either process, or a burst
// of joins ends in the same place.
//
// When the keeper's own path to another balancer is broken, control has three members of
// the cluster carry its queries there. It cannot read them, nor forge an answer: the
// balancer key stays with the keepers.
//
// What operators set of a backend by hand (drain, maint, a weight) is laid over these lists.
// Every balancer holds all of it, the latest word counts, and each tells the others at once
// and now and then again (hands.go). In a reload control first tells the proxy of what is
// coming, so that it can be checked, and changes itself only when nobody refuses (ipc/reload.go).
//
// It keeps the timeline: what the keeper reports of each change of state, and what control
// sees itself (members, backends, processes, orders and who gave them). The keeper opens the
// files; without a state directory the timeline is in memory, and a new control process has
// the keeper's latest reports only.
//
// It raises events of all that (package hook): what waits, what may run and what became of
// it are its business; the programs themselves are run by other processes (package runner),
// under names that the keeper gave them. An event is raised at least once: a control process
// that is started again meets every member anew, as a new one does, and without a state
// directory hears the keeper's latest transitions again.
//
// Templates (package render) are made anew, by the same processes, when what they see has
// changed and nothing more has for a while; never before the seeds have been tried, since a
// file without backends would be worse than an old one.
//
// Balancers ask each other for their status, over gossip's own connections: often while
// somebody looks, and now and then in any case. So each can show the whole cluster, a dead
// node as it last was, with the age of what it said. That is as true as gossip is: whoever
// holds the gossip key could lie, and nothing but what is shown depends on it.
//
// It ignores SIGTERM and SIGINT: when it ends is for the keeper to say, who sends Stop;
// then it leaves the cluster. When the keeper is gone it ends at once, without a farewell:
// a balancer without a keeper takes no part, and the next keeper starts it afresh. Nothing
// is lost with it, since a new one takes from the proxy what gossip has not told it yet.
package control
