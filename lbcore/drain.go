package lbcore

// ConnCounts are the client connections at about one moment, those of frontends
// that were left out included.
type ConnCounts struct {
	Total int64
	// InFlight have a request under way: from the first byte of its head until
	// the last of its answer is with the kernel.
	InFlight int64
	// Tunnels were upgraded to another protocol; they are not InFlight.
	Tunnels int64
}

// Drain lets the client connections come to their end without breaking one:
// from now on every final answer says Connection: close, and its connection is
// closed behind it. Requests that a client has sent ahead (pipelining) are
// answered first, the last of them so. Tunnels run on.
//
// A client that speaks HTTP/2 is asked at once to open no more streams (GOAWAY); those that it has,
// and those that are on their way, are answered, and then the connection is closed.
//
// A kept connection that is idle is never closed, not even after
// [FrontendTimeouts].Idle: a request may be on its way already, and would be
// lost. Either the client closes, or its next request is served. New
// connections are served too. How long to wait for all of this is the caller's
// to decide: see Connections. Drain may be called at any time.
func (p *Proxy) Drain() {
	p.draining.Store(true)
	p.engine.leave()
}

// Resume undoes Drain.
func (p *Proxy) Resume() { p.draining.Store(false) }

// Connections counts the client connections. It costs loops nothing but cache
// misses.
func (p *Proxy) Connections() ConnCounts { return p.engine.connections() }

// DrainingRequests counts the requests under way to backends that drain.
func (p *Proxy) DrainingRequests() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n int64
	for _, pool := range p.pools {
		n += pool.drainingRequests()
	}
	return n
}

func (p *Pool) drainingRequests() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.backends {
		if b.drain.Load() {
			n += b.inFlight()
		}
	}
	return n
}

// StopAccepting leaves new connections in the listeners' queues, and the
// listeners open: for a process that has the same sockets and takes over.
// Listeners that a later SetFrontends leaves out are then closed without their
// queue being served. It takes effect soon after it returns; until then both
// processes may accept, and nothing is lost.
func (p *Proxy) StopAccepting() { p.engine.setAccepting(false) }

// StartAccepting undoes StopAccepting.
func (p *Proxy) StartAccepting() { p.engine.setAccepting(true) }
