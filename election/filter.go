package election

import (
	"errors"
	"slices"
)

// Why an authentic advert is no news. Each has its name, to be counted by.
var (
	ErrReplay = errors.New("advert repeated or overtaken by a later one")
	ErrPeers  = errors.New("advert from one node too many")
)

// maxBoots is how many boots of a node a Filter remembers. What a network holds back by itself is seconds
// old, and nobody restarts so often so fast.
const maxBoots = 4

// Filter lets each advert through once and in order: within one boot of a node the sequence must grow. It
// guards one socket, BEFORE the machines, against what networks do by themselves and against replays of what
// it has seen. Boot ids have no order, so the first advert of an unknown boot passes, were it an old one: it
// lasts until the node's next advert. The zero value is ready; at most MaxPeers nodes are known. One goroutine
// owns it.
type Filter struct {
	senders map[string][]bootSeq // each sorted by use, the latest last
}

// bootSeq is the highest sequence heard of one boot.
type bootSeq struct{ boot, seq uint64 }

// Accept returns nil for news, else ErrReplay or ErrPeers.
func (f *Filter) Accept(a *Advert) error {
	boots, known := f.senders[a.Node]
	switch {
	case !known && len(f.senders) >= MaxPeers:
		return ErrPeers
	case f.senders == nil:
		f.senders = make(map[string][]bootSeq)
	}
	i := slices.IndexFunc(boots, func(b bootSeq) bool { return b.boot == a.Boot })
	switch {
	case i >= 0 && a.Seq <= boots[i].seq:
		return ErrReplay
	case i >= 0:
		boots = slices.Delete(boots, i, i+1)
	case len(boots) >= maxBoots:
		boots = slices.Delete(boots, 0, 1)
	}
	f.senders[a.Node] = append(boots, bootSeq{a.Boot, a.Seq})
	return nil
}

// Forget makes room for another node: this one has left for good.
func (f *Filter) Forget(node string) { delete(f.senders, node) }
