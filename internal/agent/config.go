package agent

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/tandem-lb/tandem/internal/agent/syslog"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/membership"
)

// Config is what [Run] needs: the checked configuration, and where to say what.
type Config struct {
	config.Agent
	Version        string       // of the binary, announced
	Log            *slog.Logger // default slog.Default()
	Stdout, Stderr io.Writer    // where the lines of the processes go; default: the agent's own
}

// complete fills in the defaults, or returns all that is not as it must be on this machine.
func (cfg *Config) complete() error {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Stdout == nil {
		cfg.Stdout = os.Stdout
	}
	if cfg.Stderr == nil {
		cfg.Stderr = os.Stderr
	}
	var errs []error
	for _, p := range cfg.Processes {
		if strings.HasPrefix(p.Command[0], ".") && p.Directory != "" {
			continue // relative to where it will run
		}
		if _, err := exec.LookPath(p.Command[0]); err != nil {
			errs = append(errs, fmt.Errorf("agent: process %s cannot be run: %w", p.Name, err))
		}
	}
	return errors.Join(errs...)
}

// prefixed reports whether lines begin with the name of their process.
func (cfg *Config) prefixed() bool {
	return cfg.Agent.Log.Prefix == "always" || cfg.Agent.Log.Prefix == "auto" && len(cfg.Processes) > 1
}

// bind returns where gossip listens, and whether any other port will do: nobody needs to know an agent's.
func (cfg *Config) bind() (addr netip.AddrPort, anyPort bool) {
	return cfg.Gossip, cfg.Gossip.Port() == 0 && !cfg.Gossip.Addr().IsValid()
}

// collector makes the sender to the log collector; nil if there is none.
func (cfg *Config) collector() (*syslog.Sender, error) {
	s := cfg.Syslog
	if s.Network == "" {
		return nil, nil
	}
	out := syslog.Config{Network: s.Network, Address: s.Address, Host: cfg.Name, Facility: s.Facility, Buffer: s.Buffer, Log: cfg.Log}
	if s.Network == "tls" {
		out.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if s.CAFile != "" {
			pem, err := os.ReadFile(s.CAFile)
			if err != nil {
				return nil, fmt.Errorf("agent: syslog ca_file: %w", err)
			}
			out.TLS.RootCAs = x509.NewCertPool()
			if !out.TLS.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("agent: syslog ca_file %s holds no certificate in PEM", s.CAFile)
			}
		}
		if s.CertFile != "" {
			cert, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("agent: syslog cert_file and key_file: %w", err)
			}
			out.TLS.Certificates = []tls.Certificate{cert}
		}
	}
	return syslog.New(out), nil
}

// membership is how to take part in the cluster, at first without an app.
func (cfg *Config) membership() membership.Config {
	bind, anyPort := cfg.bind()
	meta := membership.Meta{Role: membership.RoleAgent, Version: cfg.Version, Tags: cfg.Tags}
	for _, a := range cfg.Apps {
		meta.Apps = append(meta.Apps, membership.App{Pool: a.Pool, Weight: a.Weight})
	}
	return membership.Config{
		Name: cfg.Name, Bind: bind, AnyPort: anyPort, Advertise: cfg.Advertise, Seeds: cfg.Join, Keys: cfg.Keys,
		Snapshot: cfg.Snapshot, Meta: meta, Log: cfg.Log,
	}
}
