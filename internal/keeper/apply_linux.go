package keeper

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/vip"
)

// This file alone translates the configuration into the values of election, vip and ipc.

// settings is what the loop needs of the configuration.
type settings struct {
	node     string
	boot     uint64
	addr     netip.Addr // this node's own, on the first VIP's interface
	port     uint16     // of adverts and state channels
	interval time.Duration
	since    time.Time
	seeds    []netip.AddrPort // where adverts go at first
}

// groupConfig is one VIP group in the words of those who deal with it.
type groupConfig struct {
	name     string
	iface    string
	vip      vip.Config
	election election.Config

	hook        []string      // the program that moves its VIPs; nil: none
	hookTimeout time.Duration // of a claim or release by it
}

func groupConfigs(c *config.Config) []groupConfig {
	var out []groupConfig
	index := make(map[string]int)
	for _, v := range c.VIPs {
		i, known := index[v.Group]
		if !known {
			i = len(out)
			index[v.Group] = i
			iface := v.Interface
			if iface == "" {
				iface = c.Node.Interface
			}
			out = append(out, groupConfig{
				name:  v.Group,
				iface: iface,
				hook:  v.Hook, hookTimeout: v.HookTimeout,
				election: election.Config{
					Group: v.Group, Node: c.Node.Name, Priority: c.Node.Priority,
					AdvertInterval: c.Cluster.AdvertInterval, Preempt: v.Preempt, DrainDeadline: c.Proxy.DrainTime,
				},
			})
		}
		out[i].vip.Addrs = append(out[i].vip.Addrs, v.Address)
	}
	return out
}

func controlStart(c *config.Config, version string, level int) ipc.ControlStart {
	m := ipc.ControlStart{
		Node: c.Node.Name, Version: version, GossipAddr: c.Cluster.Gossip.Addr(), GossipPort: c.Cluster.Gossip.Port(),
		Advertise: c.Node.Advertise, AdvertPort: c.Cluster.AdvertPort, Join: c.Cluster.Join, GossipKeys: c.Cluster.GossipKeys,
		StatusPage: c.Control.Status.Port() != 0, StatusAllow: c.Control.StatusAllow, StatusHosts: c.Control.StatusHosts,
		LogLevel: level, ConfigHash: c.Hash(),
	}
	for _, t := range c.Control.AdminTokens {
		sum := sha256.Sum256(t)
		m.AdminTokens = append(m.AdminTokens, sum[:])
	}
	for _, v := range c.VIPs {
		m.Near = append(m.Near, v.Address)
	}
	if keys := c.Cluster.BalancerKeys; len(keys) > 0 {
		m.ProofKey = config.ProofKey(keys[0])
	}
	for _, key := range c.Cluster.BalancerKeys {
		m.ProvenBy = append(m.ProvenBy, config.ProofKey(key).Public().(ed25519.PublicKey))
	}
	for _, p := range c.Pools {
		m.Pools = append(m.Pools, ipc.StaticPool{
			Name: p.Name, Backends: staticBackends(p.Backends), BackupTags: p.BackupTags, Allow: p.Allow, AllowTags: p.AllowTags, SpeakFor: p.SpeakFor,
			MinBackends: p.MinBackends, MinAfter: p.MinAfter,
		})
	}
	for _, f := range c.Frontends {
		if f.Mode != "tcp" {
			m.Routes = append(m.Routes, ipc.Routes{
				Frontend: f.Name, Listen: listenText(f.Listen), TLS: f.TLS != nil, Pool: f.Pool, HTTPS: f.RedirectHTTPS, Rules: f.Rules,
				Allow: f.Sources.Allow, Deny: f.Sources.Deny,
			})
		}
	}
	for _, t := range c.Templates {
		m.Templates = append(m.Templates, ipc.Template{Target: t.Target, User: t.User, Quiescence: t.Quiescence, Version: t.Version()})
	}
	for _, h := range c.Hooks {
		m.Hooks = append(m.Hooks, ipc.Hook{
			Name: h.Name, Events: h.Events, Format: h.Format, SerfTags: h.SerfTags, User: h.User,
			Concurrency: h.Concurrency, Queue: h.Queue, ActiveOnly: h.ActiveOnly,
		})
	}
	return m
}

func proxyStart(c *config.Config, loops, level int) ipc.ProxyStart {
	m := ipc.ProxyStart{Loops: loops, MaxConn: c.Proxy.MaxConn, OrphanTime: c.Proxy.OrphanTime, LogLevel: level, LogFile: c.AccessLog.File}
	for _, f := range c.Frontends {
		m.Frontends = append(m.Frontends, ipc.Frontend{
			Name: f.Name, Listen: listenText(f.Listen), Pool: f.Pool, HeaderTimeout: f.HeaderTimeout, IdleTimeout: f.IdleTimeout,
			TunnelTimeout: f.TunnelTimeout, ClientTimeout: f.ClientTimeout, HalfClose: f.HalfClose,
			MaxHead: f.MaxHeaderBytes, MaxBody: f.MaxBodyBytes, MinRate: f.MinRate,
			Forwarded: f.Forwarded, Trusted: f.Trusted, Via: f.Via,
			Mode: f.Mode, SNI: f.SNIPools, AcceptProxy: f.AcceptProxy, HTTP2: ipc.HTTP2(f.HTTP2),
			TLS: frontendTLS(f.TLS, c.Cluster.BalancerKeys), RedirectHTTPS: f.RedirectHTTPS, ResponseHeaders: f.ResponseHeaders, Rules: f.Rules,
			LogFormat: logFormat(c, f), LogSample: c.AccessLog.Sample, ErrorPages: errorPages(f.ErrorPages),
			MaxConn: f.MaxConn, Sources: ipc.Sources(f.Sources),
		})
	}
	for _, p := range c.Pools {
		m.Pools = append(m.Pools, ipc.PoolPolicy{
			Name: p.Name, Policy: p.Policy, Hash: ipc.Hash(p.Hash), RetryBudget: (*ipc.RetryBudget)(&p.RetryBudget), Outlier: ipc.Outlier(p.Outlier),
			Sticky: sticky(p.Sticky, c.Cluster.BalancerKeys), SlowStart: p.SlowStart, PanicThreshold: p.PanicThreshold, MaxConn: p.MaxConn, Queue: p.Queue, QueueTimeout: p.QueueTimeout,
			ConnectTimeout: p.ConnectTimeout, ServerTimeout: p.ServerTimeout,
			IdleTimeout: p.IdleTimeout, MaxIdle: p.MaxIdle, Retries: p.Retries,
			SendProxy: p.SendProxy, Protocol: p.Protocol, TLS: poolTLS(p.TLS),
			Check: ipc.Check{
				Question: p.Check.Question, TLS: poolTLS(p.Check.TLS), Plain: p.Check.Plain,
				Interval: p.Check.Interval, Jitter: p.Check.Jitter, Timeout: p.Check.Timeout, Rise: p.Check.Rise, Fall: p.Check.Fall,
			},
		})
	}
	return m
}

func staticBackends(list []config.Backend) (out []ipc.StaticBackend) {
	for _, b := range list {
		out = append(out, ipc.StaticBackend(b))
	}
	return out
}

// listenText is a frontend's address as in the configuration: ":80" for all addresses.
func listenText(a netip.AddrPort) string {
	if !a.Addr().IsValid() {
		return ":" + strconv.Itoa(int(a.Port()))
	}
	return a.String()
}

// loopCount is the number of the proxy's loops: as configured, or one for each CPU.
func loopCount(c *config.Config) int {
	if c.Proxy.Loops > 0 {
		return c.Proxy.Loops
	}
	return runtime.NumCPU()
}

// newBoot makes a boot id: random and never 0.
func newBoot() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails; see its documentation
	return binary.BigEndian.Uint64(b[:]) | 1
}
