package membership

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// DefaultPort is the gossip port, TCP and UDP. It is also the one of Docker Swarm and MetalLB.
const DefaultPort = 7946

// Config is what [Open] needs. Only Name is required.
type Config struct {
	// Name of this member, unique in the cluster: 1 to 64 bytes of letters, digits, '.', '_' and '-'.
	Name string

	// Bind is the address and port to listen on, TCP and UDP. Default 0.0.0.0:7946; port 0 lets the kernel choose.
	Bind netip.AddrPort

	// Advertise is the address that others use to reach this member. The zero Addr means chosen: Bind's address if
	// that is one, else the address from which the kernel would talk to the first seed that is an IP address, else
	// the first private or global address of an interface that is up. Addresses with a full-length prefix (a VIP is
	// one) are never chosen while there is another.
	Advertise netip.Addr

	// Seeds are where others may be found: "IP", "IP:port", "name" or "name:port" (default port DefaultPort). A name
	// stands for all its addresses and is resolved again each time. The own address among them is skipped.
	Seeds []string

	// Keys are the gossip keys of 16, 24 or 32 bytes (AES-128, -192, -256). The first encrypts, each decrypts.
	// None means unencrypted.
	Keys [][]byte

	// Meta is what this member says of itself at first; see [Cluster.SetMeta].
	Meta Meta

	// RejoinInterval is the longest pause between attempts to join while no seed is reached, or, without seeds, while
	// this member is alone. Default 1 s. Once attached, what is missing is tried ever more rarely, at most every ten
	// RejoinIntervals.
	RejoinInterval time.Duration

	// Transport replaces the sockets, in tests. Bind and Advertise are then left to it.
	Transport memberlist.Transport

	// Resolve replaces the system's resolver, in tests.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)

	// Log receives what happens, memberlist's own lines included. Default slog.Default().
	Log *slog.Logger
}
