package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

// Config says what to announce, to whom, and what to run. Pool and Port are required.
type Config struct {
	Name string // of this member; default: host name + "-" + Port, so that several agents fit on one host

	Pool   string            // the pool that the app serves
	Port   uint16            // where the app listens
	Addr   netip.Addr        // where balancers reach the app; default: the address that the agent gossips from
	Weight int               // share of requests relative to the pool's other backends, 1 to 256, as in lbcore; default 100
	Tags   map[string]string // the user's own, announced

	Join      []string       // seeds: "IP", "IP:port", "name", "name:port"; the VIP is a good one, too
	Bind      netip.AddrPort // for gossip; default any address, port 7946, or a free one if that is taken
	Advertise netip.Addr     // own address for gossip; default: chosen, see membership.Config
	Keys      [][]byte       // gossip keys; the first encrypts

	Snapshot string // file of last-known members, see membership.Config; default none

	Keyring string // file that keeps the gossip keys as they are rotated, see membership.Config; made if need be; default none

	Check Check

	Command      []string      // program and arguments of the app; none: it is run by somebody else
	StopGrace    time.Duration // from SIGTERM to SIGKILL for the app; default 10 s
	DrainTimeout time.Duration // how long the app serves on, announced as draining, before it is stopped; default 1 s
	MinBackoff   time.Duration // pause before the first restart of a command that ended; default 100 ms
	MaxBackoff   time.Duration // longest such pause; default 30 s. A command that ran for that long starts afresh

	Version        string       // of the binary, announced
	Log            *slog.Logger // default slog.Default()
	Stdout, Stderr io.Writer    // where the app's output goes, unchanged; default: the agent's own
}

// Check is how the agent finds out whether the app is well.
type Check struct {
	HTTP     string        // path to GET, e.g. "/health": 200 to 399 is well; empty: a TCP connection suffices
	Addr     netip.Addr    // where to ask; default Config.Addr if that is given, else 127.0.0.1
	Interval time.Duration // between two checks; default 1 s. In the first 30 s of being unwell it is 50 ms, if that is less
	Timeout  time.Duration // for one check; default 1 s
	Rise     int           // checks that must pass in a row after failures; default 1. A new app needs one in any case
	Fall     int           // checks that must fail in a row; default 2
}

// complete fills in the defaults, or returns all that is wrong.
func (cfg *Config) complete() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("agent: "+format, args...)) }
	if cfg.Pool == "" {
		wrong("no pool named; say which pool the app serves (--pool web)")
	}
	if cfg.Port == 0 {
		wrong("no port given; say where the app listens (--port 3000)")
	}
	if cfg.Weight == 0 {
		cfg.Weight = membership.DefaultWeight
	}
	if cfg.Weight < membership.MinWeight || cfg.Weight > membership.MaxWeight {
		wrong("weight %d is not within %d to %d", cfg.Weight, membership.MinWeight, membership.MaxWeight)
	}
	if cfg.Check.HTTP != "" && !strings.HasPrefix(cfg.Check.HTTP, "/") {
		wrong("check path %q does not begin with /", cfg.Check.HTTP)
	}
	if len(cfg.Command) > 0 {
		if _, err := exec.LookPath(cfg.Command[0]); err != nil {
			wrong("the command cannot be run: %w", err)
		}
	}
	if cfg.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			wrong("no name given, and no host name to make one of: %w", err)
		}
		cfg.Name = fmt.Sprintf("%s-%d", host, cfg.Port)
	}
	for _, d := range []struct {
		what  string
		value *time.Duration
		dflt  time.Duration
	}{
		{"check interval", &cfg.Check.Interval, time.Second},
		{"check timeout", &cfg.Check.Timeout, time.Second},
		{"stop grace", &cfg.StopGrace, 10 * time.Second},
		{"drain timeout", &cfg.DrainTimeout, time.Second},
		{"min backoff", &cfg.MinBackoff, 100 * time.Millisecond},
		{"max backoff", &cfg.MaxBackoff, 30 * time.Second},
	} {
		if *d.value < 0 {
			wrong("%s %v is negative", d.what, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.dflt
		}
	}
	if cfg.MinBackoff > cfg.MaxBackoff {
		wrong("min backoff %v is longer than max backoff %v", cfg.MinBackoff, cfg.MaxBackoff)
	}
	if cfg.Check.Rise < 0 || cfg.Check.Fall < 0 {
		wrong("rise %d or fall %d is negative", cfg.Check.Rise, cfg.Check.Fall)
	}
	cfg.defaults()
	return errors.Join(errs...)
}

// defaults fills in what cannot be wrong.
func (cfg *Config) defaults() {
	if cfg.Check.Rise == 0 {
		cfg.Check.Rise = 1
	}
	if cfg.Check.Fall == 0 {
		cfg.Check.Fall = 2
	}
	switch {
	case cfg.Check.Addr.IsValid():
	case cfg.Addr.IsValid():
		cfg.Check.Addr = cfg.Addr
	default:
		cfg.Check.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Stdout == nil {
		cfg.Stdout = os.Stdout
	}
	if cfg.Stderr == nil {
		cfg.Stderr = os.Stderr
	}
}
