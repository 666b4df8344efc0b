package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a snapshot.
const (
	maxSnapshot      = 32               // places in it
	maxSnapshotBytes = 4096             // of the file; the longest takes 1600
	snapshotInterval = 10 * time.Second // between looks at whether there is something new
	firstSnapshot    = time.Second      // the same, until there is a snapshot
	snapshotRefresh  = time.Hour        // so long it stands unchanged
	snapshotAge      = keepFailed       // one that is older is ignored
)

// snapshotHead begins the first line of a snapshot, which ends with the Unix time in seconds. Each other line is the
// address and port at which a member gossips.
const snapshotHead = "tandem members 1 "

func encodeSnapshot(places []netip.AddrPort, now time.Time) []byte {
	b := strconv.AppendInt([]byte(snapshotHead), now.Unix(), 10)
	b = append(b, '\n')
	for _, p := range places {
		b = append(p.AppendTo(b), '\n')
	}
	return b
}

// decodeSnapshot accepts nothing that encodeSnapshot could not have written, up to white space at the end.
func decodeSnapshot(b []byte) (places []netip.AddrPort, written time.Time, err error) {
	if len(b) > maxSnapshotBytes {
		return nil, written, fmt.Errorf("it has more than %d bytes", maxSnapshotBytes)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	stamp, ok := strings.CutPrefix(lines[0], snapshotHead)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || err != nil {
		return nil, written, fmt.Errorf("it does not begin with %q and a time", snapshotHead)
	}
	if len(lines)-1 > maxSnapshot {
		return nil, written, fmt.Errorf("it has more than %d members", maxSnapshot)
	}
	for i, line := range lines[1:] {
		addr, err := netip.ParseAddrPort(line)
		if err != nil || !reachable(addr) {
			return nil, written, fmt.Errorf("line %d: %q is not an address and port that others can reach", i+2, line)
		}
		places = append(places, addr)
	}
	return places, time.Unix(seconds, 0), nil
}

// remembered returns the places in the snapshot that an earlier run has left, if it can be used.
func (c *Cluster) remembered() []netip.AddrPort {
	s := c.snapshotStore()
	if s == nil {
		return nil
	}
	places, err := loadSnapshot(s, time.Now())
	switch {
	case errors.Is(err, fs.ErrNotExist): // the first run
	case err != nil:
		c.log.Warn("the snapshot of members is ignored; the seeds are tried all the same", "path", s.name(), "err", err)
	case len(places) > 0:
		c.log.Info("members of an earlier run are tried too", "path", s.name(), "members", len(places))
	}
	return places
}

func loadSnapshot(s store, now time.Time) ([]netip.AddrPort, error) {
	b, err := s.load()
	if err != nil {
		return nil, err
	}
	places, written, err := decodeSnapshot(b)
	if err != nil {
		return nil, err
	}
	if age := now.Sub(written); age > snapshotAge {
		return nil, fmt.Errorf("it was written %v ago; after %v others may have these addresses", age, snapshotAge)
	}
	return places, nil
}

// keepSnapshot writes who is there to the snapshot, whenever that is news and at last when ctx ends. What an earlier
// run knew is kept until somebody else is there.
func (c *Cluster) keepSnapshot(ctx context.Context) {
	s := c.snapshotStore()
	if s == nil {
		return
	}
	var last []netip.AddrPort
	var written time.Time
	complained := false
	save := func(refresh time.Duration) {
		places, now := c.worthKeeping(), time.Now()
		if len(places) == 0 || slices.Equal(places, last) && now.Sub(written) < refresh {
			return
		}
		if err := s.save(encodeSnapshot(places, now)); err != nil {
			if !complained {
				c.log.Warn("the snapshot of members cannot be written; is its directory there, and ours to write?", "err", err)
			}
			complained = true
			return
		}
		last, written, complained = places, now, false
	}
	tick := time.NewTicker(firstSnapshot)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if save(snapshotRefresh); !written.IsZero() {
				tick.Reset(snapshotInterval)
			}
		case <-ctx.Done():
			save(0)
			return
		}
	}
}

// worthKeeping returns where others may be found later: balancers that are there, then those that failed, then agents
// that are there; none at all while nobody is there.
func (c *Cluster) worthKeeping() []netip.AddrPort {
	type place struct {
		addr netip.AddrPort
		rank int
	}
	var all []place
	others := false
	for _, m := range c.Members() {
		p := place{addr: netip.AddrPortFrom(m.Addr, m.Port)}
		switch balancer := m.Meta.Role == RoleBalancer; {
		case m.Self, !balancer && !m.State.Present(), m.State == StateLeft:
			continue
		case balancer && !m.State.Present():
			p.rank = 1
		case !balancer:
			p.rank = 2
		}
		others = others || m.State.Present()
		all = append(all, p)
	}
	if !others {
		return nil
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(a.rank, b.rank) })
	var places []netip.AddrPort
	for _, p := range all[:min(len(all), maxSnapshot)] {
		places = append(places, p.addr)
	}
	return places
}
