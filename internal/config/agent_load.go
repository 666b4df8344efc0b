package config

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"reflect"
)

// AgentReference is an agent's file that holds and explains every key. It parses, given the key file it names.
//
//go:embed agent-reference.toml
var AgentReference string

// AgentFlags are what may be said of an agent on the command line, as the user typed it; empty means not given. A flag
// stands in the place of the file's key.
type AgentFlags struct {
	Pools, Ports, Weights, Checks []string // --pool, --port, --weight, --check; the nth of each belong together, a single one goes with all

	Name, Socket, DrainTime                             string
	Tags, Join                                          []string
	Gossip, Advertise, GossipKeyFile, Keyring, Snapshot string
	Prefix, Syslog                                      string

	// Of every app given by flags.
	Addr, CheckInterval, CheckTimeout, Rise, Fall string
	CheckServerName, CheckCAFile                  string
	CheckTLS                                      bool

	// Command is what stands after --: the process called app, and of that one the rest.
	Command                            []string
	Restart, RestartLimit, StopTimeout string
}

// LoadAgent checks the file at path, if that is not empty, together with the flags, and reads the key file that one of
// them names. The error is of type [Errors].
func LoadAgent(path string, f AgentFlags) (*Agent, error) {
	if path == "" {
		return agentOf("", nil, "", f, readKeyFile)
	}
	data, err := readConfig(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: "cannot read the agent's configuration: " + plain(err).Error()}}
	}
	return agentOf(path, data, filepath.Dir(path), f, readKeyFile)
}

// ParseAgent checks a configuration held in memory, as [Parse] does.
func ParseAgent(name string, data []byte, readFile func(string) ([]byte, error)) (*Agent, error) {
	return agentOf(name, data, "", AgentFlags{}, readFile)
}

func agentOf(path string, data []byte, dir string, f AgentFlags, readFile func(string) ([]byte, error)) (*Agent, error) {
	c := &agentChecker{checker: checker{binder: binder{root: reflect.TypeFor[rawAgent]()}, readFile: readFile}, dir: dir}
	root, src := newTable(place{file: "flags"}), (*source)(nil)
	if data != nil {
		if root, src, c.errs = readTree(path, data); root == nil {
			return nil, c.sorted()
		}
	}
	f.put(c, root)
	var raw rawAgent
	c.table(root, reflect.ValueOf(&raw).Elem(), "")
	a := c.agent(path, &raw)
	if src != nil {
		c.validate(src)
	}
	if err := c.sorted(); err != nil {
		return nil, err
	}
	return a, nil
}

// put lays the flags over the tree of the file.
func (f *AgentFlags) put(c *agentChecker, root *node) {
	agent, cluster := root.sub("agent"), root.sub("cluster")
	agent.flag("name", "--name", kindText, f.Name)
	agent.flag("socket", "--socket", kindText, f.Socket)
	agent.flag("drain_time", "--drain-time", kindText, f.DrainTime)
	agent.flags("tags", "--tag", f.Tags)
	cluster.flags("join", "--join", f.Join)
	cluster.flag("gossip", "--gossip", kindText, f.Gossip)
	cluster.flag("advertise", "--advertise", kindText, f.Advertise)
	cluster.flag("gossip_key_file", "--gossip-key-file", kindText, f.GossipKeyFile)
	cluster.flag("keyring", "--keyring", kindText, f.Keyring)
	cluster.flag("snapshot", "--snapshot", kindText, f.Snapshot)
	root.sub("log").flag("prefix", "--prefix", kindText, f.Prefix)
	root.sub("syslog").flag("to", "--syslog", kindText, f.Syslog)
	f.command(c, root)
	f.apps(c, root)
}

// command makes the command after -- a process, which the flags about processes are for.
func (f *AgentFlags) command(c *agentChecker, root *node) {
	if len(f.Command) == 0 {
		for flag, value := range map[string]string{"--restart": f.Restart, "--restart-limit": f.RestartLimit, "--stop-timeout": f.StopTimeout} {
			if value != "" {
				c.add(flagValue(flag, kindText, value).at, "is for the command after --, and there is none", "processes of the file have it there")
			}
		}
		return
	}
	processes := root.sub("process")
	if earlier := processes.fields[mainProcess]; earlier != nil {
		c.add(earlier.key, "there is a command after --, too, which is the process called app", "give this one another name, or leave out the command")
		return
	}
	p := newTable(place{file: "--"})
	p.flags("command", "--", f.Command)
	p.flag("restart", "--restart", kindText, f.Restart)
	p.flag("restart_limit", "--restart-limit", kindNumber, f.RestartLimit)
	p.flag("stop_timeout", "--stop-timeout", kindText, f.StopTimeout)
	processes.put(mainProcess, p)
}

// apps makes an [[app]] of each --port. The first --pool goes with the first --port, and so on; a single one goes with
// all. The same holds for --weight and --check.
func (f *AgentFlags) apps(c *agentChecker, root *node) {
	if len(f.Pools)+len(f.Ports) == 0 {
		for _, given := range [][2]string{{"--addr", f.Addr}, {"--weight", first(f.Weights)}, {"--check", first(f.Checks)}} {
			if given[1] != "" {
				c.add(flagValue(given[0], kindText, given[1]).at, "is for an app given by --pool and --port, and there is none", "apps of the file have it there")
			}
		}
		return
	}
	if earlier := root.fields["app"]; earlier != nil {
		c.add(earlier.key, "apps are given by the flags --pool and --port, too", "give them in one place")
		return
	}
	switch {
	case len(f.Ports) == 0:
		c.add(place{file: "--port"}, "is needed beside --pool", "say where the app listens: --port 3000")
	case len(f.Pools) == 0:
		c.add(place{file: "--pool"}, "is needed beside --port", "say which pool the app serves: --pool web")
	}
	if len(c.errs) > 0 {
		c.partial = true
		return
	}
	for flag, values := range map[string][]string{"--pool": f.Pools, "--weight": f.Weights, "--check": f.Checks} {
		if n := len(values); n > 1 && n != len(f.Ports) {
			c.add(place{file: flag}, fmt.Sprintf("is given %d times, beside %d times --port", n, len(f.Ports)), "give it once for all ports, or once for each, in the same order")
			c.partial = true
		}
	}
	at := place{file: "flags"}
	apps := &node{kind: kindList, headers: true, key: at, at: at}
	for i := range f.Ports {
		app, check := newTable(at), newTable(at)
		app.flag("pool", "--pool", kindText, nth(f.Pools, i))
		app.flag("port", "--port", kindNumber, nth(f.Ports, i))
		app.flag("weight", "--weight", kindNumber, nth(f.Weights, i))
		app.flag("addr", "--addr", kindText, f.Addr)
		if path := nth(f.Checks, i); path != "tcp" {
			check.flag("http", "--check", kindText, path)
		}
		check.flag("interval", "--check-interval", kindText, f.CheckInterval)
		check.flag("timeout", "--check-timeout", kindText, f.CheckTimeout)
		if f.CheckTLS {
			check.flag("tls", "--check-tls", kindBool, "true")
		}
		check.flag("server_name", "--check-server-name", kindText, f.CheckServerName)
		check.flag("ca_file", "--check-ca-file", kindText, f.CheckCAFile)
		check.flag("rise", "--rise", kindNumber, f.Rise)
		check.flag("fall", "--fall", kindNumber, f.Fall)
		app.put("check", check)
		apps.items = append(apps.items, app)
	}
	root.put("app", apps)
}

func first(values []string) string { return nth(values, 0) }

// nth returns the i-th value, or the only one.
func nth(values []string, i int) string {
	switch {
	case len(values) == 1:
		return values[0]
	case i < len(values):
		return values[i]
	}
	return ""
}

// sub returns the table called name, made if need be. What the file has in its place is left for the binder to refuse.
func (n *node) sub(name string) *node {
	if child, ok := n.fields[name]; ok {
		if child.kind != kindTable {
			return newTable(child.at)
		}
		return child
	}
	child := newTable(place{file: "flags"})
	n.put(name, child)
	return child
}
