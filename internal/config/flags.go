package config

// Overrides are the flags that may stand beside a file, because they differ
// from balancer to balancer. Empty means: not given.
type Overrides struct {
	Name      string // --name
	Interface string // --interface
	Priority  string // --priority
	Advertise string // --advertise
}

// Flags describe a whole configuration without a file, as in
//
//	tandem lb --vip 192.168.42.42 --join A,B --listen :80 --pool web
//
// The values are strings as the user typed them, so that an error can point
// into what was typed; empty means not given and takes the file's default.
type Flags struct {
	VIPs            []string // --vip, required
	Join            []string // --join
	Listen          []string // --listen, default ":80"
	Pool            string   // --pool, required
	Backends        []string // --backend, static ones
	Check           string   // --check: "tcp" or the path of an HTTP check
	Gossip          string   // --gossip
	GossipKeyFile   string   // --gossip-key-file
	BalancerKeyFile string   // --balancer-key-file
	AdvertPort      string   // --advert-port
	AdvertInterval  string   // --advert-interval
	Socket          string   // --socket
	Overrides
}
