// Package runner is the process that runs a balancer's hooks, and renders its templates:
// one for each user that they are to run as, and none where nothing is configured.
//
// Why it is a process of its own: a hook must not run as control, whose memory holds the
// gossip key and which any process of the same user could read or stop. Only the keeper
// can change users, but it must not be the one that forks: a burst of events, or a machine
// that is slow to fork, would stand between two adverts. So the keeper starts, once, a
// process that has the user and the groups asked for and nothing else: no capability and
// no way to gain one, no key, no listening socket, no file. That process forks.
//
//	keeper ── what may be run ──► runner (user tandem-hook) ──► /usr/local/bin/handler
//	control ─ when, and its input ──►┘                     └──► …
//
// Control says when and gives the input; it names a hook by its name, and the commands
// come from the keeper alone. So a control process that was taken over by what it reads
// from the network cannot have a program run that is not configured, or was not before the
// last reload, nor give it variables other than TANDEM_… and SERF_….
//
// A reload of the configuration changes what may be run (ipc/runner.go says how orders keep
// their meaning meanwhile); what runs goes on as it began. A runner whose user has nothing to
// run any more ends when all that has ended.
//
// What runs is bounded in time, output and number ([hook.Run], [hook.MaxRunning]). When the
// runner is told to stop, or its keeper is gone, its programs are killed with it: with
// their time limit, nobody would be left to end them. A link that ends is a control
// process that ended: its programs run on, and their results are logged here.
package runner
