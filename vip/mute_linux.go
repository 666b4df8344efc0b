package vip

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/nft"
)

// tablePrefix begins the name of every nftables table of ours.
const tablePrefix = "tandem_"

// A process that is just dying may own its table still: a child that it has forked keeps
// the socket open until it has executed its program.
const (
	ownerPatience = 500 * time.Millisecond
	ownerRetry    = 10 * time.Millisecond
)

// mendRetry is the wait after a table that something removed could not be put back.
const mendRetry = 100 * time.Millisecond

// kernelMuter mutes by nftables: one table for each family (muterules_linux.go).
type kernelMuter struct {
	table string
	four  muteFamily
	six   muteFamily
	watch *nft.Watcher // nil: nftables cannot be had
	ran   atomic.Bool
	kinds []nft.TableFlags // of tables, the strongest first
	mend  chan struct{}    // a token: a table may have gone

	mu     sync.Mutex // protects what follows; held across system calls
	conn   *nft.Conn  // nil: nftables cannot be had
	closed bool
	wanted bool // between Mute and Unmute
}

var _ Muter = (*kernelMuter)(nil)

// OpenMuter opens netlink sockets in the calling thread's network namespace. group names
// the table: tandem_ and the group's name, cleaned of odd characters. Two groups on one
// node need two names, and a group should keep its name, so that the next run finds what a
// crashed one left. It needs CAP_NET_ADMIN. Where nftables cannot be had it returns a Muter
// that mutes nothing and whose State says why; an error is about the arguments.
func OpenMuter(ifi Interface, group string, addrs ...netip.Addr) (Muter, error) {
	cfg, err := Config{Addrs: addrs}.withDefaults()
	if err != nil {
		return nil, err
	}
	m := newKernelMuter(ifi, group, cfg.Addrs)
	conn, err := nft.Open()
	if err == nil {
		if m.watch, err = nft.NewWatcher(); err != nil {
			conn.Close()
		}
	}
	if err != nil {
		m.four.set(Muting{Err: err})
		m.six.set(Muting{Err: err})
		return m, nil
	}
	m.conn = conn
	return m, nil
}

func newKernelMuter(ifi Interface, group string, addrs []netip.Addr) *kernelMuter {
	m := &kernelMuter{
		table: tableName(group),
		four:  muteFamily{family: nft.ARP, rules: arpRules},
		six:   muteFamily{family: nft.IPv6, rules: ndpRules},
		kinds: []nft.TableFlags{nft.Owned | nft.Persistent, 0},
		mend:  make(chan struct{}, 1),
	}
	for _, a := range addrs {
		f := &m.six
		if a.Is4() {
			f = &m.four
		}
		f.vips = append(f.vips, mutedVIP{addr: a, own: ifi.ownFor(a)})
	}
	return m
}

// tableName keeps lower-case letters, digits and underscores. A name that was changed or
// cut gets a hash of the whole, so that two groups never share a table.
func tableName(group string) string {
	const most = 32
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, group)
	if clean == group && group != "" && len(group) <= most {
		return tablePrefix + group
	}
	h := fnv.New32a()
	h.Write([]byte(group))
	return fmt.Sprintf("%s%.20s_%08x", tablePrefix, clean, h.Sum32())
}

// Mute implements Muter.
func (m *kernelMuter) Mute(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fmt.Errorf("muting: %w", ErrClosed)
	}
	if m.conn == nil {
		return nil
	}
	for end := time.Now().Add(ownerPatience); ; {
		err := m.putAll()
		if err == nil {
			m.wanted = true
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(ownerRetry):
			if time.Now().After(end) {
				return err
			}
		}
	}
}

// putAll puts both tables in force. Only that they belong to another process is an error.
func (m *kernelMuter) putAll() error {
	for _, f := range m.families() {
		if err := m.put(f); errors.Is(err, ErrNotOurs) {
			return err
		}
	}
	return nil
}

func (m *kernelMuter) families() []*muteFamily { return []*muteFamily{&m.four, &m.six} }

// put puts the family's table in force, in place of one that is there, within one batch.
// It needs mu.
func (m *kernelMuter) put(f *muteFamily) error {
	if len(f.vips) == 0 {
		return m.conn.Remove(f.family, m.table) // an earlier run may have had some
	}
	flags, err := m.replace(f)
	old := f.get()
	state := Muting{Restored: old.Restored, Err: err}
	if err == nil {
		f.muted = true
		state.InForce, state.Owned, state.Persistent = true, flags&nft.Owned != 0, flags&nft.Persistent != 0
		if flags == 0 {
			state.Err = errPlainTable
		}
	}
	f.set(state)
	return err
}

var errPlainTable = errors.New("this kernel has no owned and persistent nftables tables (Linux 6.9): " +
	"whoever flushes the ruleset unmutes it for some milliseconds")

// replace commits the family's table, the strongest kind that this kernel has.
func (m *kernelMuter) replace(f *muteFamily) (flags nft.TableFlags, err error) {
	old, err := m.find(f)
	if err != nil {
		return 0, err
	}
	if old != nil && old.Owner != 0 && !m.conn.Owns(*old) {
		return 0, fmt.Errorf("%w: the nftables table %s is owned by another process (netlink port %d); is another tandem lb running here?",
			ErrNotOurs, m.table, old.Owner)
	}
	for _, flags := range m.kinds {
		if old != nil && old.Flags&nft.Persistent == flags&nft.Persistent {
			// The same table and chain with new rules. A new chain would stand before the
			// old one on their hook, and a packet that passed the one before the commit
			// and the other after it would meet no rule: seen once in thousands.
			if err = m.commit(f, m.refill(f, flags)); err == nil {
				return flags, nil
			}
		}
		if err = m.commit(f, m.anew(f, flags, old != nil)); err == nil {
			return flags, nil // older kernels refuse the flags in one way or another
		}
	}
	return 0, fmt.Errorf("muting the kernel: %w", err)
}

// refill takes the table over, if it is nobody's, and replaces its rules.
func (m *kernelMuter) refill(f *muteFamily, flags nft.TableFlags) *nft.Batch {
	b := new(nft.Batch)
	b.Table(f.family, m.table, flags)
	b.Flush(f.family, m.table)
	f.rules(b, m.table, f.vips)
	return b
}

// anew makes the table, in place of one of another kind.
func (m *kernelMuter) anew(f *muteFamily, flags nft.TableFlags, old bool) *nft.Batch {
	b := new(nft.Batch)
	if old {
		b.Delete(f.family, m.table)
	}
	b.Table(f.family, m.table, flags)
	f.rules(b, m.table, f.vips)
	return b
}

// commit is the connection's, or a test's.
func (m *kernelMuter) commit(f *muteFamily, b *nft.Batch) error {
	if f.commit != nil {
		return f.commit(b)
	}
	return m.conn.Commit(b)
}

// find returns the family's table as it is now, or nil.
func (m *kernelMuter) find(f *muteFamily) (*nft.Table, error) {
	tables, err := m.conn.Tables()
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if t.Family == f.family && t.Name == m.table {
			return &t, nil
		}
	}
	return nil, nil
}

// Run implements Muter.
func (m *kernelMuter) Run(ctx context.Context) error {
	if m.ran.Swap(true) {
		return errors.New("vip: the muter runs already")
	}
	if m.watch == nil {
		<-ctx.Done()
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := m.watch.Run(ctx, func(_ nft.Family, table string) {
			if table == m.table || table == "" { // news were lost
				m.suspect()
			}
		})
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.closed && err != nil {
			return fmt.Errorf("watching the mute table: %w", ErrClosed)
		}
		return err
	})
	g.Go(func() error { return m.mending(ctx) })
	return g.Wait()
}

// suspect makes mending look.
func (m *kernelMuter) suspect() {
	select {
	case m.mend <- struct{}{}:
	default:
	}
}

// mending puts back what something else removed.
func (m *kernelMuter) mending(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.mend:
		}
		if m.restore() {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(mendRetry):
			m.suspect()
		}
	}
}

// restore looks at the tables that should be in force and puts back what is missing. It
// returns whether all is well.
func (m *kernelMuter) restore() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || !m.wanted {
		return true
	}
	well := true
	for _, f := range m.families() {
		if !f.muted { // it never could be
			continue
		}
		if n, err := m.conn.Rules(f.family, m.table); err == nil && n == rulesPerVIP*len(f.vips) {
			continue
		}
		state := f.get()
		state.InForce = false
		state.Restored++
		f.set(state)
		well = m.put(f) == nil && well
	}
	return well
}

// Unmute implements Muter.
func (m *kernelMuter) Unmute(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if !m.wanted {
		return nil
	}
	m.wanted = false
	var errs []error
	for _, f := range m.families() {
		if f.muted {
			errs = append(errs, m.conn.Remove(f.family, m.table))
			f.set(Muting{})
		}
	}
	return errors.Join(errs...)
}

// Close implements Muter.
func (m *kernelMuter) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.conn == nil {
		return nil
	}
	return errors.Join(m.conn.Close(), m.watch.Close())
}

// State implements Muter.
func (m *kernelMuter) State() MuteState {
	return MuteState{IPv4: m.four.get(), IPv6: m.six.get()}
}

// muteFamily is one family's table.
type muteFamily struct {
	family nft.Family
	vips   []mutedVIP
	rules  func(b *nft.Batch, table string, vips []mutedVIP)
	commit func(*nft.Batch) error // nil but in tests: the connection's
	muted  bool                   // it was in force once; the muter's mu protects it

	mu    sync.Mutex // protects state; never held across system calls
	state Muting
}

func (f *muteFamily) get() Muting {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

func (f *muteFamily) set(state Muting) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = state
}
