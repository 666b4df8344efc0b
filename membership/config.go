package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/hashicorp/memberlist"
)

// DefaultPort is the gossip port, TCP and UDP. It is also the one of Docker Swarm and MetalLB.
const DefaultPort = 7946

// Config is what [Open] needs. Only Name is required.
type Config struct {
	// Name of this member, unique in the cluster: 1 to 64 bytes of letters, digits, '.', '_' and '-'.
	Name string

	// Bind is the address and port to listen on, TCP and UDP. Default 0.0.0.0:7946, or [::]:7946 (both families) if the
	// advertised address is an IPv6 one. Port 0 lets the kernel choose. A port without an address is for the default one.
	Bind netip.AddrPort

	// AnyPort takes a free port instead if Bind's is taken: for members that nobody names as a seed.
	AnyPort bool

	// Advertise is the address that others use to reach this member. The zero Addr means chosen: Bind's address if
	// that is one, else an own one among Seeds, else the one on the network of the first of Near, else the one from which the kernel would talk to
	// the first seed that is an IP address (nothing is sent), or where this host is on several networks to one of the
	// first three seeds that are names and known within 2 s each, else the first private or global address of an
	// interface that is up, IPv4 first. Addresses with a full-length prefix (a VIP is one) are never chosen while
	// there is another.
	Advertise netip.Addr

	// Near are addresses on the networks that this member should be reached on: a balancer's VIPs. Default none.
	Near []netip.Addr

	// Seeds are where others may be found: "IP", "IP:port", "name" or "name:port" (default port DefaultPort). A name
	// stands for all its addresses and is resolved again each time. The own address among them is skipped.
	Seeds []string

	// Keys are the gossip keys of 16, 24 or 32 bytes (AES-128, -192, -256). The first encrypts, each decrypts.
	// None means unencrypted. At most MaxKeys. See [Cluster.AddKey] for how they are changed while members run.
	Keys [][]byte
	// RingFile keeps the keys as they were changed, for the next run: it uses them in place of Keys if it is given the
	// same Keys as this one; others are the operator's newer word. It is open for reading and writing, and nobody else
	// should be able to read it. The caller closes it after Close. Default none: the next run begins with Keys.
	RingFile *os.File

	// Meta is what this member says of itself at first; see [Cluster.SetMeta].
	Meta Meta

	// RejoinInterval sets the pauses between attempts. Default 1 s, at least 100 ms. While no other balancer answers,
	// the seeds, and balancers that are silent or found dead, are tried at least four times in it. Otherwise, and for
	// apps found dead, the pause grows to ten times that.
	RejoinInterval time.Duration

	// Snapshot is a file in which Run keeps the addresses of up to 32 members, balancers first, written as a whole at
	// most every 10 s, first when somebody is there. The next run tries them beside the seeds until it has found a balancer, and once in any case: so
	// a member comes back that nobody remembers and whose seeds have gone, and balancers that start together find the
	// apps. SeedsTried does not wait for them. A file that is not there,
	// malformed or older than a day is ignored. Its directory must exist. Default none.
	Snapshot string

	// SnapshotFile is used in place of Snapshot, for a process that may not open one itself: it is rewritten in place.
	// The caller closes it after Run has returned. What a crash leaves of it halfway is ignored, as any malformed one.
	SnapshotFile *os.File

	// Answer answers what others ask with [Cluster.Ask], from the member that asks. Up to 16 run at once, each in a
	// goroutine that Close waits for, so each should be over within a second. Of an error the first 200 bytes are told.
	// Default: no question is answered.
	Answer func(from Member, question []byte) ([]byte, error)

	// Transport replaces the sockets, in tests. Bind and Advertise are then left to it.
	Transport memberlist.NodeAwareTransport

	// Resolve replaces the system's resolver, in tests.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// Exchange replaces the socket by which this member carries a datagram for another (see [Cluster.Relay]), in tests:
	// it sends datagram to to and returns the first one that comes back from there, or an error when ctx has ended.
	Exchange func(ctx context.Context, to netip.AddrPort, datagram []byte) ([]byte, error)

	// Log receives what happens, memberlist's own lines included. Default slog.Default().
	Log *slog.Logger
}

// complete fills in the defaults and returns the seeds as parsed, or all that is wrong with the Config.
func (cfg *Config) complete() ([]seed, error) {
	var errs []error
	if err := checkName(cfg.Name); err != nil {
		errs = append(errs, fmt.Errorf("membership: %w", err))
	}
	seeds, err := parseSeeds(cfg.Seeds)
	if err != nil {
		errs = append(errs, err)
	}
	if len(cfg.Keys) > MaxKeys {
		errs = append(errs, fmt.Errorf("membership: %d gossip keys where %d are allowed", len(cfg.Keys), MaxKeys))
	}
	for i, key := range cfg.Keys {
		if err := memberlist.ValidateKey(key); err != nil {
			errs = append(errs, fmt.Errorf("membership: gossip key %d of %d has %d bytes; it must have 16, 24 or 32",
				i+1, len(cfg.Keys), len(key)))
		}
	}
	if cfg.RejoinInterval == 0 {
		cfg.RejoinInterval = defaultRejoinInterval
	}
	if cfg.RejoinInterval < minRejoinInterval {
		errs = append(errs, fmt.Errorf("membership: rejoin interval %v is below %v", cfg.RejoinInterval, minRejoinInterval))
	}
	if cfg.Resolve == nil {
		cfg.Resolve = systemResolve
	}
	if cfg.Exchange == nil {
		cfg.Exchange = exchange
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return seeds, errors.Join(errs...)
}

// place chooses what was left open about addresses.
func (cfg *Config) place() error {
	advertise, err := chooseAdvertise(*cfg)
	if err != nil {
		return err
	}
	if advertise.IsUnspecified() || advertise.IsMulticast() || advertise.Zone() != "" {
		return fmt.Errorf("membership: %v is not an address that others could reach; advertise another one", advertise)
	}
	cfg.Advertise = advertise
	if !cfg.Bind.IsValid() {
		any := netip.IPv4Unspecified()
		if advertise.Is6() {
			any = netip.IPv6Unspecified()
		}
		cfg.Bind = netip.AddrPortFrom(any, cmp.Or(cfg.Bind.Port(), DefaultPort))
	}
	if cfg.Bind.Addr() == netip.IPv4Unspecified() && advertise.Is6() {
		return fmt.Errorf("membership: gossip is to listen at %v, for IPv4 alone, but %v is what others would use; have it listen at [::]:%d, or advertise an IPv4 address",
			cfg.Bind, advertise, cfg.Bind.Port())
	}
	return nil
}

// Values where ours differ from memberlist's LAN profile, and what follows from them.
const (
	// A probe every 200 ms, given up after 100 ms on the direct path and at 200 ms on the others.
	probeInterval = 200 * time.Millisecond
	probeTimeout  = 100 * time.Millisecond

	// Suspicion lasts suspicionMult x max(1, log10(members)) x probeInterval: 1 s up to ten members, in which the
	// suspect may object. So a crash is seen within 1.2 to 1.8 s (three members, 100 runs in fake time, median 1.4 s),
	// and a process must be held up for that long to be taken for dead: none of five was suspected even once in 80 s
	// with 8 busy loops on 2 cores. (memberlist's 4 would save 0.2 s.)
	suspicionMult = 5

	// Gossip goes out every 100 ms, a change thus within 0.1 s to the first three members, and a goodbye, which is
	// sent six times, is over in 0.2 to 0.6 s. An idle tick costs nothing.
	gossipInterval = 100 * time.Millisecond

	// A message is sent retransmitMult x ceil(log10(members+1)) times, some of them to members that are dead.
	// (memberlist's 4 was at times not enough for three members and a dead one.)
	retransmitMult = 6

	// Agents may be hundreds, on few processors, and join at once. What each of them repeats costs all of them together
	// the square of their number, and one that is starved for longer than a probe waits is suspected: two more messages
	// to all, which starve others. Their own news reaches balancers directly, so they can do with less: three times
	// log10(members) each, in ticks of half a second, which bounds what all that costs in a second, and a probe
	// every two seconds, which may take all of them, by other paths after the first half second.
	// Whether the balancers live they ask themselves, sooner than that (see watch).
	agentRetransmitMult = 3
	agentGossipInterval = 500 * time.Millisecond
	agentProbeInterval  = 2 * time.Second
	agentProbeTimeout   = 500 * time.Millisecond

	// Every 10 s each member compares the whole state with one other: what was lost is found within tens of seconds.
	pushPullInterval = 10 * time.Second

	// label keeps us apart from others that use memberlist on this port (Docker Swarm, MetalLB): what bears none, or
	// another, is refused, and the other way round.
	label = "tandem"
)

// profile returns memberlist's configuration: its LAN profile with the changes above.
func profile(wire string, role Role, keys *memberlist.Keyring) *memberlist.Config {
	conf := memberlist.DefaultLANConfig()
	conf.Name = wire
	conf.Label = label
	conf.ProbeInterval = probeInterval
	conf.ProbeTimeout = probeTimeout
	conf.SuspicionMult = suspicionMult
	conf.RetransmitMult = retransmitMult
	conf.GossipInterval = gossipInterval
	if role == RoleAgent {
		conf.ProbeInterval = agentProbeInterval
		conf.ProbeTimeout = agentProbeTimeout
		conf.GossipInterval = agentGossipInterval
		conf.RetransmitMult = agentRetransmitMult
	}
	conf.PushPullInterval = pushPullInterval
	conf.TCPTimeout = streamTimeout
	conf.EnableCompression = false // a state is small, and what is not unpacked cannot blow up
	conf.Keyring = keys
	return conf
}
