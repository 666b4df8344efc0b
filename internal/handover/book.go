package handover

import (
	"net/netip"
	"slices"
	"sync"
)

// Bounds of a Book.
const (
	maxBookPeers = 16
	maxBookFlows = 64 << 10 // of one peer
)

// Book knows the connections that the peers have told of. Its zero value is ready, and its
// methods may be called from any goroutine. It keeps up to 65,536 connections for each of up
// to 16 peers.
type Book struct {
	mu      sync.Mutex
	peers   map[string]map[Flow]struct{}
	dropped uint64
}

// Apply takes one message of a peer's Collector. Call it for messages of authenticated peers
// only, in the order in which they were sent. A message that cannot be read changes nothing.
func (b *Book) Apply(peer string, message []byte) error {
	batch, err := DecodeBatch(message)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	flows := b.peers[peer]
	if flows == nil || batch.Reset {
		if flows == nil && len(b.peers) >= maxBookPeers {
			b.dropped += uint64(len(batch.Added))
			return nil
		}
		if b.peers == nil {
			b.peers = make(map[string]map[Flow]struct{})
		}
		flows = make(map[Flow]struct{})
		b.peers[peer] = flows
	}
	for _, w := range batch.Gone {
		delete(flows, w)
	}
	for _, w := range batch.Added {
		if _, is := flows[w]; !is && len(flows) >= maxBookFlows {
			b.dropped++
			continue
		}
		flows[w] = struct{}{}
	}
	return nil
}

// Take returns the peer's connections to these VIPs and forgets them.
func (b *Book) Take(peer string, vips []netip.Addr) (flows []Flow) {
	vips = unmapped(vips)
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.peers[peer] {
		if slices.Contains(vips, w.Server.Addr()) {
			flows = append(flows, w)
			delete(b.peers[peer], w)
		}
	}
	return flows
}

// Forget forgets all connections of a peer, which has left in order.
func (b *Book) Forget(peer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.peers, peer)
}

// Known returns how many connections of a peer are known, and how many of all peers found no
// room so far.
func (b *Book) Known(peer string) (flows int, dropped uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.peers[peer]), b.dropped
}
