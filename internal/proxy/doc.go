// Package proxy is the process that carries traffic: a shell around lbcore that receives
// its sockets and orders over ipc, and has no rights, no keys and no configuration file.
//
// The keeper gives it the listening sockets and how pools behave, control gives it who is
// in them. It tells both what state its backends are in. Three goroutines speak, one with
// each of keeper and control and one that reports; the rest belong to lbcore.
//
// It ignores SIGTERM and SIGINT: when it ends is for the keeper to say. When the keeper is
// gone it serves on for the orphan time and then ends; when control is gone it keeps the
// backends it knows.
package proxy
