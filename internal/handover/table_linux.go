package handover

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/tandem-lb/tandem/internal/nft"
)

// tablePrefix begins the name of every table of this package.
const tablePrefix = "tandem_fwd_"

// Table forwards what belongs to a peer's connections. Its methods may be called from any
// goroutine.
type Table struct {
	name   string
	owned  bool
	seeded int

	mu   sync.Mutex // protects what follows; held across system calls
	conn *nft.Conn  // nil: closed
}

// Open puts a table in force, in the calling thread's network namespace. When it returns,
// what comes in for the VIPs goes to the peer, but for this node's own connections and new
// ones. It needs CAP_NET_ADMIN. It takes a millisecond, the 2 to 10 ms in which the kernel
// walks all its sockets, and 1.5 µs for each of this node's own connections to the VIPs. On an
// error nothing is left in force; it is ErrUnsupported where the kernel cannot do it.
//
// The order matters: a connection that opens after the table began to watch is noted by the
// table, an older one is found by listing; and only then the rest may be sent away. Listed
// first, a connection that opens in between would be sent to the peer.
func Open(ctx context.Context, cfg Config) (*Table, error) {
	return open(ctx, cfg, kernel{strongest})
}

// steps are what Open asks the kernel for, in its order.
type steps interface {
	watch(ctx context.Context, cfg Config) (*Table, error)
	list(ctx context.Context, cfg Config) ([]Flow, error)
	seed(ctx context.Context, t *Table, flows []Flow) error
	forward(t *Table, cfg Config) error
}

func open(ctx context.Context, cfg Config, k steps) (*Table, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	t, err := k.watch(ctx, cfg)
	if err != nil {
		return nil, err
	}
	flows, err := k.list(ctx, cfg)
	if err == nil {
		err = k.seed(ctx, t, flows)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = k.forward(t, cfg)
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	t.seeded = len(flows)
	return t, nil
}

// kernel is the real one.
type kernel struct{ kinds []nft.TableFlags }

// strongest are the kinds of tables in the order in which they are tried.
var strongest = []nft.TableFlags{nft.Owned, 0}

// watch makes the table, as far as watchRules say, the strongest kind that this kernel has.
func (k kernel) watch(ctx context.Context, cfg Config) (*Table, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := nft.Open()
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	t, err := commitTable(conn, groupPrefix(cfg.Group), k.kinds, func(b *nft.Batch, name string, flags nft.TableFlags) {
		watchRules(b, name, flags, cfg)
	})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("handover: forward table on %s: %w", cfg.Device, err)
	}
	return t, nil
}

// commitTable makes a table of the strongest kind that this kernel has. Older kernels refuse
// the flag in one way or another.
func commitTable(conn *nft.Conn, prefix string, kinds []nft.TableFlags, rules func(b *nft.Batch, name string, flags nft.TableFlags)) (*Table, error) {
	name := fmt.Sprintf("%s%08x", prefix, rand.Uint32())
	var err error
	for _, flags := range kinds {
		var b nft.Batch
		rules(&b, name, flags)
		if err = conn.Commit(&b); err == nil {
			return &Table{name: name, owned: flags&nft.Owned != 0, conn: conn}, nil
		}
	}
	return nil, explain(err)
}

// explain gives the errors of a kernel that lacks something their name.
func explain(err error) error {
	if errors.Is(err, nft.ErrUnsupported) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

func (kernel) list(ctx context.Context, cfg Config) (flows []Flow, err error) {
	err = listFlows(ctx, cfg.VIPs, liveStates, func(w Flow) error {
		if len(flows) == 2*cfg.MaxFlows {
			return fmt.Errorf("handover: this node has more than %d: %w", 2*cfg.MaxFlows, ErrTooMany)
		}
		flows = append(flows, w)
		return nil
	})
	return flows, err
}

// seed adds this node's own connections to the sets.
func (kernel) seed(ctx context.Context, t *Table, flows []Flow) error {
	keys := map[*family][][]byte{}
	for _, w := range flows {
		f := familyOf(w.Server.Addr())
		keys[f] = append(keys[f], flowKey(w))
	}
	for f, all := range keys {
		for part := range slices.Chunk(all, nft.MaxElements) {
			if err := ctx.Err(); err != nil {
				return err
			}
			var b nft.Batch
			b.Elements(nft.Netdev, t.name, setLocal+f.name, part)
			if err := t.conn.Commit(&b); err != nil {
				return fmt.Errorf("handover: note %d connections of this node: %w", len(all), err)
			}
		}
	}
	return nil
}

func (kernel) forward(t *Table, cfg Config) error {
	ifi, err := net.InterfaceByName(cfg.Device)
	if err != nil {
		return fmt.Errorf("handover: device %s: %w", cfg.Device, err)
	}
	var b nft.Batch
	forwardRules(&b, t.name, ifi.Index, cfg)
	if err := t.conn.Commit(&b); err != nil {
		return fmt.Errorf("handover: forward to %v: %w", cfg.Peers, explain(err))
	}
	return nil
}

// Name is the table's, in the netdev family.
func (t *Table) Name() string { return t.name }

// Close stops forwarding and removes the table. It takes some 10 ms, since the kernel waits for
// packets under way. Twice is no error.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil {
		return nil
	}
	err := errors.Join(t.conn.Remove(nft.Netdev, t.name), t.conn.Close())
	t.conn = nil
	if err != nil {
		return fmt.Errorf("handover: remove table %s: %w", t.name, err)
	}
	return nil
}

// Stats asks the kernel what the table has done so far; ErrClosed after Close. It is an error
// too if something else has removed the table.
func (t *Table) Stats() (Stats, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil {
		return Stats{}, fmt.Errorf("handover: table %s: %w", t.name, ErrClosed)
	}
	by, err := t.conn.Counters(nft.Netdev, t.name)
	if err != nil {
		return Stats{}, fmt.Errorf("handover: table %s: %w", t.name, err)
	}
	if len(by) == 0 {
		return Stats{}, fmt.Errorf("handover: table %s has gone", t.name)
	}
	return Stats{
		Owned: t.owned, Seeded: t.seeded,
		Forwarded: by[chainTCP+four.name].Packets + by[chainTCP+six.name].Packets,
		Errors:    by[chainErrors+four.name].Packets + by[chainErrors+six.name].Packets,
		Fragments: by[chainFragments].Packets,
	}, nil
}

// Clean removes the tables of a group, and those of self-tests, that an earlier run left
// behind in the calling thread's network namespace. Those that a living process owns stay. It
// returns the names of those that it removed. It needs CAP_NET_ADMIN. Call it at start: on a
// kernel without owned tables (before Linux 5.12) it would remove those in use as well.
func Clean(group string) (removed []string, err error) {
	conn, err := nft.Open()
	if err != nil {
		return nil, fmt.Errorf("handover: clean: %w", err)
	}
	defer conn.Close()
	tables, err := conn.Tables()
	if err != nil {
		return nil, fmt.Errorf("handover: clean: %w", err)
	}
	var errs []error
	for _, t := range tables {
		ours := strings.HasPrefix(t.Name, groupPrefix(group)) || strings.HasPrefix(t.Name, reflectPrefix)
		if t.Family != nft.Netdev || t.Owner != 0 || !ours {
			continue
		}
		if err := conn.Remove(t.Family, t.Name); err != nil {
			errs = append(errs, fmt.Errorf("handover: remove table %s: %w", t.Name, err))
			continue
		}
		removed = append(removed, t.Name)
	}
	return removed, errors.Join(errs...)
}

// groupPrefix begins the names of a group's tables. A hash stands for the group, which may
// be any text and of any length.
func groupPrefix(group string) string {
	h := fnv.New32a()
	h.Write([]byte(group))
	return fmt.Sprintf("%s%08x_", tablePrefix, h.Sum32())
}
