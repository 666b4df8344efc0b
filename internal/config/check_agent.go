package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tandem-lb/tandem/lbcore/check"
)

// agentChecker turns an agent's raw values into checked ones.
type agentChecker struct {
	checker
	dir string // where relative paths of the file begin
}

func (c *agentChecker) agent(path string, raw *rawAgent) *Agent {
	a := &Agent{
		Path: path, DrainTime: raw.Agent.DrainTime.V, Tags: map[string]string{},
		Log:    AgentLog{Prefix: raw.Log.Prefix.V, MaxLine: raw.Log.MaxLineBytes.V, Keep: raw.Log.KeepBytes.V, ReadByAnyone: raw.Log.ReadByAnyone.V},
		Syslog: c.syslog(&raw.Syslog),
	}
	for _, tag := range c.tags(raw.Agent.Tags) {
		if _, twice := a.Tags[tag[0]]; twice {
			c.add(raw.Agent.Tags.At, fmt.Sprintf("the tag %q is given twice", tag[0]), "give it once")
		}
		a.Tags[tag[0]] = tag[1]
	}
	if raw.Agent.Socket.Set {
		a.Socket = c.socket(raw.Agent.Socket)
	}
	c.membership(a, &raw.Cluster)
	c.processes(a, raw)
	c.apps(a, raw)
	a.Name = c.memberName(raw.Agent.Name, a.Apps)
	return a
}

// memberName is the given name, or one of which several fit on one host.
func (c *agentChecker) memberName(t text, apps []App) string {
	if t.Set {
		c.name(t, "the member's name")
		if !t.Bad && strings.Contains(t.V, ":") {
			c.add(t.At, fmt.Sprintf("the member's name cannot be %q", t.V), "it has no colon: that stands between the name and the port of an app")
		}
		return t.V
	}
	host, err := os.Hostname()
	if err != nil {
		c.add(place{file: "--name"}, fmt.Sprintf("is needed: this machine's host name cannot be found: %v", err), "give it: --name web1")
		return ""
	}
	if len(apps) == 0 {
		return host
	}
	return fmt.Sprintf("%s-%d", host, apps[0].Port)
}

func (c *agentChecker) membership(a *Agent, raw *rawMembership) {
	a.Join = c.seeds(raw.Join)
	if t := raw.Gossip; t.Set && !t.Bad {
		if ap, err := netip.ParseAddrPort(t.V); err == nil && ap.Port() == 0 {
			a.Gossip = ap // the kernel chooses a port
		} else {
			a.Gossip, _ = c.bind(t)
		}
	}
	a.Advertise = c.host(raw.Advertise)
	key := raw.GossipKeyFile
	key.V = c.beside(key)
	a.Keys, a.Balancers = c.keysAndPublic(key)
	a.Keyring, a.Snapshot = c.beside(raw.Keyring), c.beside(raw.Snapshot)
}

// host parses an address at which others reach a host; it may be a loopback address, if they are on the same one.
func (c *checker) host(t text) netip.Addr {
	if !t.Set || t.Bad {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(t.V)
	if err == nil && a.IsLoopback() {
		return a
	}
	a, _ = c.unicast(t)
	return a
}

// beside returns a path, which in a file may be relative to it.
func (c *agentChecker) beside(t text) string {
	if !t.Set || t.Bad || t.At.line == 0 || filepath.IsAbs(t.V) {
		return t.V
	}
	return filepath.Join(c.dir, t.V)
}

func (c *agentChecker) apps(a *Agent, raw *rawAgent) {
	type served struct {
		pool string
		port int
	}
	seen := map[served]place{}
	for _, r := range raw.App {
		if !r.Pool.Bad {
			c.name(r.Pool, "the pool's name")
		}
		app := App{Pool: r.Pool.V, Port: uint16(r.Port.V), Addr: c.host(r.Addr), Weight: r.Weight.V, Check: c.appCheck(&r.Check)}
		if !r.Port.Bad && !r.Pool.Bad {
			once(&c.checker, seen, served{app.Pool, r.Port.V}, r.Port.At, fmt.Sprintf("port %d for pool %s", app.Port, app.Pool))
		}
		switch {
		case !r.Process.Set:
			if raw.Process[mainProcess] != nil {
				app.Process = mainProcess
			}
		case raw.Process[r.Process.V] == nil && !r.Process.Bad && !c.partial:
			c.add(r.Process.At, fmt.Sprintf("there is no process %q", r.Process.V), didYouMean(r.Process.V, processNames(a)))
		default:
			app.Process = r.Process.V
		}
		a.Apps = append(a.Apps, app)
	}
	if len(raw.App) == 0 && !c.partial {
		c.add(place{file: cmp.Or(a.Path, "flags")}, "names no app to announce", "add [[app]] with pool and port, or give --pool and --port")
	}
}

func processNames(a *Agent) []string {
	var names []string
	for _, p := range a.Processes {
		names = append(names, p.Name)
	}
	return names
}

// mainProcess is the process of the command after --, and of apps that name none.
const mainProcess = "app"

func (c *agentChecker) processes(a *Agent, raw *rawAgent) {
	names := slices.SortedFunc(maps.Keys(raw.Process), func(x, y string) int {
		p, q := raw.Process[x].Key, raw.Process[y].Key
		return cmp.Or(cmp.Compare(p.line, q.line), cmp.Compare(p.col, q.col), cmp.Compare(x, y))
	})
	for _, name := range names {
		r := raw.Process[name]
		c.name(text{V: name, Set: true, At: r.Key}, "the process's name")
		a.Processes = append(a.Processes, c.process(name, r))
	}
	for _, p := range a.Processes {
		r := raw.Process[p.Name]
		for i, name := range p.After {
			at := r.After.V[i].At
			switch {
			case raw.Process[name] == nil && !c.partial:
				c.add(at, fmt.Sprintf("there is no process %q", name), didYouMean(name, names))
			case waitsFor(a, name, p.Name, len(names)):
				c.add(at, fmt.Sprintf("%s and %s wait for each other", p.Name, name), "leave one of them out of after")
			}
		}
	}
}

// waitsFor reports whether the process name is started after the process other, or is it.
func waitsFor(a *Agent, name, other string, depth int) bool {
	if name == other {
		return true
	}
	i := slices.IndexFunc(a.Processes, func(p Process) bool { return p.Name == name })
	return depth > 0 && i >= 0 && slices.ContainsFunc(a.Processes[i].After, func(before string) bool {
		return waitsFor(a, before, other, depth-1)
	})
}

func (c *agentChecker) process(name string, r *rawProcess) Process {
	p := Process{
		Name: name, Directory: c.directory(r.Directory), Restart: Restart(r.Restart.V), Limit: r.RestartLimit.V,
		MinBackoff: r.MinBackoff.V, MaxBackoff: r.MaxBackoff.V, StopTimeout: r.StopTimeout.V,
		Command: texts(r.Command), After: texts(r.After), Env: texts(r.Env),
	}
	if r.Command.Set && !r.Command.Bad && len(p.Command) == 0 {
		c.add(r.Command.At, "the command is empty", `write it so: command = ["node", "server.js"]`)
	}
	for _, t := range r.Env.V {
		if key, _, ok := strings.Cut(t.V, "="); !ok || key == "" {
			c.add(t.At, "this is no variable", `write "KEY=VALUE"`)
		}
	}
	p.Ready, p.ReadyPort = c.ready(&r.Ready)
	return p
}

func (c *agentChecker) ready(r *rawReady) (*Check, uint16) {
	if !r.Port.Set {
		if r.HTTP.Set {
			c.add(r.HTTP.At, "a readiness check needs a port", "add port = 3000")
		}
		return nil, 0
	}
	ch := &Check{Question: check.Question{Kind: check.TCP}, Timeout: r.Timeout.V}
	if r.HTTP.Set {
		ch.Kind, ch.Path = check.HTTP, c.checkPath(r.HTTP)
	}
	return ch, uint16(r.Port.V)
}

func texts(l list) []string {
	var all []string
	for _, t := range l.V {
		all = append(all, t.V)
	}
	return all
}

// facilities of RFC 5424, 6.2.1, table 1.
var facilities = map[string]int{
	"user": 1, "daemon": 3,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// syslogPorts are the default ports: RFC 5426, 3.3, RFC 6587, 3.2 (no port of its own for TCP; rsyslog and others
// listen on that of UDP), RFC 5425, 4.1.
var syslogPorts = map[string]string{"udp": "514", "tcp": "514", "tls": "6514"}

func (c *agentChecker) syslog(r *rawSyslog) Syslog {
	s := Syslog{
		Facility: facilities[r.Facility.V], Buffer: r.BufferBytes.V,
		CAFile: c.beside(r.CAFile), CertFile: c.beside(r.CertFile), KeyFile: c.beside(r.KeyFile),
	}
	if r.To.Set && !r.To.Bad {
		network, address, _ := strings.Cut(r.To.V, "://")
		port, known := syslogPorts[network]
		switch {
		case !known || !isSeed(address):
			c.add(r.To.At, fmt.Sprintf("%q is no collector", r.To.V), `for example "tls://logs.example.com:6514", "tcp://10.0.0.5:514" or "udp://10.0.0.5:514"`)
		default:
			s.Network, s.Address = network, withPort(address, port)
		}
	}
	for _, t := range []text{r.CAFile, r.CertFile, r.KeyFile} {
		if t.Set && !t.Bad && s.Network != "tls" && !r.To.Bad {
			c.add(t.At, "certificates belong to a collector that is reached by TLS", `write to = "tls://…", or leave this out`)
		}
	}
	if r.CertFile.Set != r.KeyFile.Set {
		at := r.CertFile.At
		if r.KeyFile.Set {
			at = r.KeyFile.At
		}
		c.add(at, "cert_file and key_file belong together", "give both, or none")
	}
	return s
}

// withPort adds the port to a seed that has none.
func withPort(seed, port string) string {
	if a, err := netip.ParseAddr(seed); err == nil {
		if a.Is6() {
			return "[" + seed + "]:" + port
		}
		return seed + ":" + port
	}
	if strings.Contains(seed, ":") {
		return seed
	}
	return seed + ":" + port
}
