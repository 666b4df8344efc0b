package config

import (
	"crypto/ed25519"
	"net/netip"
	"time"
)

// Agent is a checked configuration of an agent, as [Config] is one of a balancer. It is made by [LoadAgent] and
// [ParseAgent] and never half-filled.
type Agent struct {
	Path string // the file it was read from; empty when it came from flags alone

	Name      string            // of the member; default: the host name, a dash and the first app's port
	Tags      map[string]string // announced
	Socket    string            // unix socket for the app; an absolute path; empty: none
	DrainTime time.Duration     // the longest time that balancers are waited for before the apps are stopped

	Join      []string            // seeds, as Cluster.Join
	Gossip    netip.AddrPort      // gossip is bound here; the zero AddrPort means port 7946 of all addresses, or a free one
	Advertise netip.Addr          // address told to the others; invalid: found out
	Keys      [][]byte            // gossip keys; the first one encrypts, all decrypt; nil: unencrypted
	Balancers []ed25519.PublicKey // by which balancers prove themselves, from the file of the gossip keys
	Keyring   string              // file that keeps the gossip keys as they are rotated; empty: none
	Snapshot  string              // file of last-known members; empty: none

	Apps      []App     // in the order of the file; at least one
	Processes []Process // in the order of the file
	Log       AgentLog
	Syslog    Syslog
}

// App is one app that an agent announces.
type App struct {
	Pool    string
	Port    uint16     // where it listens
	Addr    netip.Addr // where balancers reach it; invalid: the address that the agent gossips from
	Weight  int        // 1 to 256
	Process string     // names a member of Agent.Processes; empty: it is run by somebody else
	Check   Check
}

// Process is one program that an agent runs.
type Process struct {
	Name        string
	Command     []string // program and arguments
	Directory   string   // empty: the agent's own
	Env         []string // KEY=VALUE, beside the agent's own environment
	After       []string // other processes that must be ready before this one is started
	Ready       *Check   // of a process without an app; nil: it is ready when it has been started
	ReadyPort   uint16   // where Ready asks, on 127.0.0.1
	Restart     Restart
	Limit       int           // restarts in a row, of runs that ended sooner than MaxBackoff; 0: no limit
	MinBackoff  time.Duration // pause before the first restart; it doubles up to MaxBackoff
	MaxBackoff  time.Duration
	StopTimeout time.Duration // from SIGTERM to SIGKILL
}

// Restart says when a process that has ended is started again.
type Restart string

// The restart policies.
const (
	RestartAlways    Restart = "always"
	RestartOnFailure Restart = "on-failure" // unless its exit code is 0
	RestartNever     Restart = "never"
)

// AgentLog is what becomes of the lines that processes print.
type AgentLog struct {
	Prefix       string // "auto", "always" or "never"
	MaxLine      int    // bytes; a longer line is cut in pieces
	Keep         int    // bytes of the newest lines that are kept for tandem logs
	ReadByAnyone bool   // tandem logs may read them although gossip is not encrypted, or the balancer does not prove itself
}

// Syslog is the collector that lines are sent to.
type Syslog struct {
	Network string // "udp", "tcp" or "tls"; empty: none
	Address string // host and port

	CAFile   string // certificates that vouch for the collector's; empty: those of the system
	CertFile string // shown to the collector, with KeyFile; empty: none
	KeyFile  string
	Facility int // 0 to 23, RFC 5424, 6.2.1
	Buffer   int // bytes of lines that wait while the collector does not take them; the oldest are dropped beyond
}
