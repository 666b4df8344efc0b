package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Overrides are the flags that may stand beside a file, because they differ
// from balancer to balancer. Empty means: not given.
type Overrides struct {
	Name      string // --name
	Interface string // --interface
	Priority  string // --priority
	Advertise string // --advertise
	LogLevel  string // --log-level
}

// Flags describe a whole configuration without a file, as in
//
//	tandem lb --vip 192.168.42.42 --join A,B --listen :80 --pool web
//
// The values are strings as the user typed them, so that an error can point
// into what was typed; empty means not given and takes the file's default.
type Flags struct {
	VIPs            []string // --vip
	Join            []string // --join
	Listen          []string // --listen, default ":80"
	Pool            string   // --pool, required
	Backends        []string // --backend, static ones
	Check           string   // --check: "tcp" (the default) or the path of an HTTP check
	Gossip          string   // --gossip
	GossipKeyFile   string   // --gossip-key-file
	BalancerKeyFile string   // --balancer-key-file
	AdvertPort      string   // --advert-port
	AdvertInterval  string   // --advert-interval
	Socket          string   // --socket
	StateDir        string   // --state
	Status          string   // --status
	Overrides
}

// FromFlags checks a configuration that was given by flags alone, and applies
// its Overrides. The error is of type [Errors].
func FromFlags(f Flags) (*Config, error) {
	c := &checker{readFile: readKeyFile}
	if f.Pool == "" {
		c.add(place{file: "--pool"}, "is needed where there is no configuration file", "name the pool that the apps join: --pool web")
		f.Pool = "unnamed"
	}
	cfg := c.config("", f.tree())
	cfg.Node = c.nodeFor(cfg, f.Overrides)
	cfg.Log = c.logFor(cfg, f.Overrides)
	if err := c.sorted(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// Apply fills c.Node: from the file's [node.NAME] table where NAME is o.Name
// or else the host name, and then from what o gives. Call it once after
// [Load]. The error is of type [Errors].
func (c *Config) Apply(o Overrides) error {
	var ch checker
	node, log := ch.nodeFor(c, o), ch.logFor(c, o)
	if err := ch.sorted(); err != nil {
		return err
	}
	c.Node, c.Log = node, log
	return nil
}

// nodeFor returns what holds for this machine.
func (c *checker) nodeFor(cfg *Config, o Overrides) Node {
	name := text{V: o.Name, Set: true, At: flagValue("--name", kindText, o.Name).at}
	if o.Name == "" {
		var err error
		if name.V, err = os.Hostname(); err != nil {
			c.add(place{file: "--name"}, fmt.Sprintf("is needed: this machine's host name cannot be found: %v", err), "give it: --name lb1")
			return Node{}
		}
		name.At = place{file: "--name"}
	}
	c.name(name, "this node's name")

	flags := newTable(place{file: "flags"})
	flags.flag("interface", "--interface", kindText, o.Interface)
	flags.flag("priority", "--priority", kindNumber, o.Priority)
	flags.flag("advertise", "--advertise", kindText, o.Advertise)
	var raw rawNode
	c.table(flags, reflect.ValueOf(&raw).Elem(), "node")
	given := c.node(name.V, &raw)

	node, ok := cfg.Nodes[name.V]
	if !ok {
		return given
	}
	if raw.Interface.Set {
		node.Interface = given.Interface
	}
	if raw.Priority.Set {
		node.Priority = given.Priority
	}
	if raw.Advertise.Set {
		node.Advertise = given.Advertise
	}
	return node
}

// logFor returns the log's settings, in which the flag wins.
func (c *checker) logFor(cfg *Config, o Overrides) Log {
	flags := newTable(place{file: "flags"})
	flags.flag("level", "--log-level", kindText, strings.ToLower(o.LogLevel))
	var raw rawLogging
	c.table(flags, reflect.ValueOf(&raw).Elem(), "log")
	if !raw.Level.Set {
		return cfg.Log
	}
	return Log{Level: level(raw.Level)}
}

// tree makes the tree that a file with the same content would have given.
func (f *Flags) tree() *node {
	at := place{file: "flags"}
	cluster, control := newTable(at), newTable(at)
	cluster.flags("join", "--join", f.Join)
	cluster.flag("gossip", "--gossip", kindText, f.Gossip)
	cluster.flag("gossip_key_file", "--gossip-key-file", kindText, f.GossipKeyFile)
	cluster.flag("balancer_key_file", "--balancer-key-file", kindText, f.BalancerKeyFile)
	cluster.flag("advert_port", "--advert-port", kindNumber, f.AdvertPort)
	cluster.flag("advert_interval", "--advert-interval", kindText, f.AdvertInterval)
	control.flag("socket", "--socket", kindText, f.Socket)
	control.flag("state_dir", "--state", kindText, f.StateDir)
	control.flag("status", "--status", kindText, f.Status)

	vips := &node{kind: kindList, headers: true, key: at, at: at}
	for _, address := range f.VIPs {
		vip := newTable(at)
		vip.put("address", flagValue("--vip", kindText, address))
		vips.items = append(vips.items, vip)
	}
	listens := f.Listen
	if len(listens) == 0 {
		listens = []string{":80"}
	}
	frontends := &node{kind: kindList, headers: true, key: at, at: at}
	for _, listen := range listens {
		frontend := newTable(at)
		frontend.put("listen", flagValue("--listen", kindText, listen))
		frontend.put("pool", flagValue("--pool", kindText, f.Pool))
		frontends.items = append(frontends.items, frontend)
	}

	root, pools := newTable(at), newTable(at)
	pool := newTable(flagValue("--pool", kindText, f.Pool).at)
	pool.flags("backends", "--backend", f.Backends)
	if f.Check != "" && f.Check != "tcp" {
		check := newTable(at)
		check.put("http", flagValue("--check", kindText, f.Check))
		pool.put("check", check)
	}
	pools.put(f.Pool, pool)
	root.put("cluster", cluster)
	root.put("control", control)
	root.put("vip", vips)
	root.put("frontend", frontends)
	root.put("pool", pools)
	return root
}

// flagValue is a value that was given as a flag.
func flagValue(flag string, k kind, value string) *node {
	at := place{
		file: flag, col: utf8.RuneCountInString(flag) + 2, width: max(1, utf8.RuneCountInString(value)),
		source: printable(flag + " " + value),
	}
	return &node{kind: k, text: value, key: at, at: at}
}

// flag puts a flag's value under a key, if it was given.
func (n *node) flag(key, flag string, k kind, value string) {
	if value != "" {
		n.put(key, flagValue(flag, k, value))
	}
}

// flags puts the values of a flag that may be repeated under a key.
func (n *node) flags(key, flag string, values []string) {
	if len(values) == 0 {
		return
	}
	list := &node{kind: kindList, key: place{file: flag}, at: place{file: flag}}
	for _, v := range values {
		list.items = append(list.items, flagValue(flag, kindText, v))
	}
	n.put(key, list)
}
