package agent

import (
	"io"
	"log/slog"
	"net/netip"
	"time"
)

// Config says what to announce, to whom, and what to run. Pool and Port are required.
type Config struct {
	Name string // of this member; default: host name + "-" + Port, so that several agents fit on one host

	Pool   string     // the pool that the app serves
	Port   uint16     // where the app listens
	Addr   netip.Addr // where balancers reach the app; default: the address that the agent advertises for itself
	Weight int        // share of requests relative to the pool's other backends, 1 to 256 as in lbcore; default 100
	Tags   map[string]string

	Join      []string       // seeds: "IP", "IP:port", "name", "name:port"; the VIP is one, too
	Bind      netip.AddrPort // for gossip; default 0.0.0.0:7946, and any free port if that one is taken
	Advertise netip.Addr     // own address for gossip; default: chosen, see membership.Config
	Keys      [][]byte       // gossip keys; the first encrypts

	Check Check

	Command      []string      // program and arguments of the app; none: it is run by somebody else
	StopGrace    time.Duration // from SIGTERM to SIGKILL for the app; default 10 s
	DrainTimeout time.Duration // how long the app serves on, announced as draining, before it is stopped; default 1 s
	MinBackoff   time.Duration // pause before the first restart of a command that ended; default 100 ms
	MaxBackoff   time.Duration // longest such pause; default 30 s. A command that ran that long starts afresh

	Version        string // of the binary, announced
	Log            *slog.Logger
	Stdout, Stderr io.Writer // where the app's output goes, unchanged; default: the agent's own
}

// Check is how the agent finds out whether the app is well.
type Check struct {
	HTTP     string        // path to GET, e.g. "/health": 200 to 399 is well; empty: a TCP connection suffices
	Addr     netip.Addr    // where to ask; default 127.0.0.1, or ::1 if Config.Addr is an IPv6 address
	Interval time.Duration // between two checks while the app is well; default 1 s. While it is not yet: a twentieth
	Timeout  time.Duration // for one check; default 1 s
	Rise     int           // checks that must pass in a row after a failure; default 1
	Fall     int           // checks that must fail in a row; default 2
}
