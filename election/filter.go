package election

import (
	"errors"
	"slices"
)

// Why an authentic advert is no news. Each has its name, to be counted by.
var (
	ErrReplay  = errors.New("advert repeated or overtaken by a later one")
	ErrOldBoot = errors.New("advert from before its sender's restart")
	ErrPeers   = errors.New("advert from one node too many")
)

// oldBoots is how many earlier boots of a node a Filter remembers: what a network still holds back is seconds
// old, and nobody restarts so often so fast.
const oldBoots = 4

// Filter lets each advert through once and in order: within one boot of a node the sequence must grow, and a
// boot that has been succeeded by another never comes back. It guards one socket, BEFORE the machines, against
// what networks do by themselves and against replays within its own life. The zero value is ready; at most
// MaxPeers nodes are known. One goroutine owns it.
type Filter struct {
	senders map[string]*sender
}

type sender struct {
	boot, seq uint64
	old       []uint64 // earlier boots, the latest last
}

// Accept returns nil for news, else ErrReplay, ErrOldBoot or ErrPeers.
func (f *Filter) Accept(a *Advert) error {
	s := f.senders[a.Node]
	switch {
	case s == nil && len(f.senders) >= MaxPeers:
		return ErrPeers
	case s == nil:
		if f.senders == nil {
			f.senders = make(map[string]*sender)
		}
		f.senders[a.Node] = &sender{boot: a.Boot, seq: a.Seq}
	case slices.Contains(s.old, a.Boot):
		return ErrOldBoot
	case s.boot != a.Boot:
		s.old = append(s.old, s.boot)
		s.old = s.old[max(0, len(s.old)-oldBoots):]
		s.boot, s.seq = a.Boot, a.Seq
	case a.Seq <= s.seq:
		return ErrReplay
	default:
		s.seq = a.Seq
	}
	return nil
}

// Forget makes room for another node: this one has left for good.
func (f *Filter) Forget(node string) { delete(f.senders, node) }
