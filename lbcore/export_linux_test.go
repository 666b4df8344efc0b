package lbcore

import "unsafe"

// HoldLoops stops all loops until release is called, so that a test can make
// several things happen in one round.
func HoldLoops(p *Proxy) (release func()) {
	done := make(chan bool)
	for _, w := range p.engine.workers {
		held := make(chan bool)
		w.Post(func() { close(held); <-done })
		<-held
	}
	return func() { close(done) }
}

// IdleConnSize is the memory that an idle client connection holds.
const IdleConnSize = unsafe.Sizeof(client{})
