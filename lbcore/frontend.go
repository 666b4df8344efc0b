package lbcore

import (
	"sync/atomic"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
	"github.com/tandem-lb/tandem/lbcore/internal/limit"
)

// frontend is one configured frontend, from the SetFrontends that brings its
// name until its last connection after the one that leaves it out.
type frontend struct {
	name    string
	view    atomic.Pointer[frontendView]
	retired atomic.Bool // answers carry Connection: close
	slots   []frontendSlot
	room    func() // has the loops accept again

	waiting atomic.Bool  // a loop accepts no more until there is room
	conns   *limit.Conns // by source

	// For the sources' rates; guarded by Proxy.mu.
	buckets    *limit.Buckets // nil: there are none
	remembered int            // sources, as was asked for
	limits     uint32         // how many rates of rules were numbered
}

// frontendView is immutable.
type frontendView struct {
	cfg    FrontendConfig
	limits http1.Limits
	tell   telling
	set    *http1.Fields            // on every final answer
	pool   *Pool                    // nil: no such pool
	rules  *ruleset                 // nil: none
	guard  *guard                   // nil: no limit goes by sources
	tls    *tlsServer               // nil: plain
	byName map[string]*frontendView // of routes by server name; nil: none
}

// frontendSlot is a loop's own part of a frontend.
type frontendSlot struct {
	accepted, requests, retries, bytesIn, bytesOut atomic.Uint64
	responses                                      [6]atomic.Uint64
	current, tunnels                               atomic.Int64
	latency                                        histogram

	tls   tlsCounts
	http2 http2Counts

	badRequest, noRule, noBackend, badGateway, timeout, headerTime, aborted, cut atomic.Uint64
	badProxy, badHello, largeBody                                                atomic.Uint64
	queueFull, queueTimeout                                                      atomic.Uint64
	full                                                                         atomic.Uint64
	refused                                                                      [refusals]atomic.Uint64

	_ [64]byte // the next slot is another core's
}

// newFrontend makes one for which room has the loops accept again.
func newFrontend(name string, slots int, room func(*frontend)) *frontend {
	f := &frontend{name: name, slots: make([]frontendSlot, slots), conns: limit.NewConns()}
	f.room = func() { room(f) }
	return f
}

func (f *frontend) configure(cfg FrontendConfig, pools map[string]*Pool) {
	v := newView(f.name, cfg, pools)
	var was *ruleset
	if old := f.view.Load(); old != nil {
		was = old.rules
	}
	v.rules = f.newRules(&cfg, pools, was)
	v.guard = f.newGuard(v)
	v.byName = v.routes(pools)
	f.view.Store(v)
	f.roomMade() // there may be more of it
}

// hasRoom says that another connection is within MaxConn. Loops that look at the same time
// may each find the last place.
func (f *frontend) hasRoom() bool {
	most := f.view.Load().cfg.MaxConn
	if most == 0 {
		return true
	}
	open := int64(0)
	for i := range f.slots {
		open += f.slots[i].current.Load()
	}
	return open < int64(most)
}

// roomMade is called AFTER there is more room, as a loop says that it waits BEFORE it looks
// for room for the last time.
func (f *frontend) roomMade() {
	if f.waiting.Load() && f.waiting.Swap(false) {
		f.room()
	}
}

// refuse counts a request that was answered with status for what it is itself.
func (n *frontendSlot) refuse(status int) {
	if status == 413 {
		n.largeBody.Add(1)
	} else {
		n.badRequest.Add(1)
	}
}

func (f *frontend) snapshot() FrontendSnapshot {
	v := f.view.Load()
	s := FrontendSnapshot{Name: f.name, Pool: v.cfg.Pool, Rules: v.rules.snapshot()}
	for i := range f.slots {
		s.Counters.add(&f.slots[i])
	}
	return s
}

func (c *FrontendCounters) add(n *frontendSlot) {
	c.Accepted += n.accepted.Load()
	c.Current += n.current.Load()
	c.Tunnels += n.tunnels.Load()
	c.Requests += n.requests.Load()
	c.Retries += n.retries.Load()
	c.BytesIn += n.bytesIn.Load()
	c.BytesOut += n.bytesOut.Load()
	for i := range n.responses {
		c.Responses[i] += n.responses[i].Load()
	}
	n.latency.addTo(&c.Latency)
	c.TLS.add(&n.tls)
	c.HTTP2.add(&n.http2)
	c.Errors.BadRequest += n.badRequest.Load()
	c.Errors.LargeBody += n.largeBody.Load()
	c.Errors.NoRule += n.noRule.Load()
	c.Errors.NoBackend += n.noBackend.Load()
	c.Errors.BadGateway += n.badGateway.Load()
	c.Errors.Timeout += n.timeout.Load()
	c.Errors.HeaderTime += n.headerTime.Load()
	c.Errors.Aborted += n.aborted.Load()
	c.Errors.Cut += n.cut.Load()
	c.Errors.BadProxy += n.badProxy.Load()
	c.Errors.BadHello += n.badHello.Load()
	c.Errors.QueueFull += n.queueFull.Load()
	c.Errors.QueueTime += n.queueTimeout.Load()
	c.Errors.SourceDenied += n.refused[sourceDenied].Load()
	c.Errors.SourceRate += n.refused[sourceRate].Load()
	c.Errors.SourceConns += n.refused[sourceConns].Load()
	c.Errors.Full += n.full.Load()
}

// listenerConfig tells the engine which loop serves which descriptor.
type listenerConfig struct {
	fd       int
	loop     int
	frontend *frontend

	serverFirst bool // a server may have the first word
}
