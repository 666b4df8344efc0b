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

// Pipes returns how many pipes the loops have, and how many nobody uses.
func Pipes(p *Proxy) (all, free int) {
	for _, w := range p.engine.workers {
		done := make(chan bool)
		w.Post(func() {
			all, free = all+len(w.pipes), free+len(w.freePipes)
			close(done)
		})
		<-done
	}
	return all, free
}

// MaxPipes is the bound of one loop.
const MaxPipes = maxPipes

// HoldLoop stops loop i until release is called.
func HoldLoop(p *Proxy, i int) (release func()) {
	held, done := make(chan bool), make(chan bool)
	p.engine.workers[i].Post(func() { close(held); <-done })
	<-held
	return func() { close(done) }
}

// Listening returns how many listeners loop i has.
func Listening(p *Proxy, i int) (n int) {
	done := make(chan bool)
	p.engine.workers[i].Post(func() { n = len(p.engine.workers[i].listeners); close(done) })
	<-done
	return n
}

// HandshakesUnderWay and HandshakesWaiting count those of clients.
func HandshakesUnderWay(p *Proxy) int { return sum(p, func(w *worker) int { return w.handshakes }) }

// HandshakesWaiting counts those that have not begun.
func HandshakesWaiting(p *Proxy) int { return sum(p, func(w *worker) int { return len(w.greeting) }) }

func sum(p *Proxy, of func(*worker) int) (n int) {
	for _, w := range p.engine.workers {
		done := make(chan bool)
		w.Post(func() { n += of(w); close(done) })
		<-done
	}
	return n
}

// BoundHandshakes sets the bound of each loop until it is reset.
func BoundHandshakes(p *Proxy, n int) (reset func()) {
	set := func(n int) { sum(p, func(w *worker) int { w.maxHandshakes = n; return 0 }) }
	set(n)
	return func() { set(maxHandshakes) }
}
