// Package proxy is the process that carries traffic: a shell around lbcore that receives
// its sockets and orders over ipc, and has no rights, no keys and no configuration file.
//
// The keeper gives it the listening sockets and how pools behave, control gives it who is
// in them. It tells both what state its backends are in. Three goroutines speak, one with
// each of keeper and control and one that reports; the rest belong to lbcore.
//
// It ignores SIGTERM and SIGINT: when it ends is for the keeper to say. It reads its sockets
// when told to serve. Told to drain, it closes each connection behind its next answer, and
// no idle one, until told to resume; told to retire, it leaves the sockets to its successor,
// drains, and ends with its last connection or at the deadline. Told to stop, it ends with
// its last request.
//
// When the keeper is gone it serves on for the orphan time. A new keeper that comes to the
// meeting socket meanwhile, and is of the same user, gets all its descriptors and is obeyed;
// else it retires. When control is gone it keeps the backends it knows.
package proxy
