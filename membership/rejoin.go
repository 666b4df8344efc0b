package membership

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Constants of the rejoin loop.
const (
	defaultRejoinInterval = time.Second
	minRejoinInterval     = 100 * time.Millisecond
	slowFactor            = 10 // pauses grow to that many RejoinIntervals where there is no hurry
	reachedFactor         = 30 // a place that answered is asked again after that many: it may be a VIP
	firstRound            = 3 * time.Second
	maxTrying             = 16                   // attempts under way at once
	maxTryingOne          = 4                    // of these at one place
	hurryFactor           = 4                    // while nobody can be served, attempts begin that often in a RejoinInterval
	meetShare             = 4 * time.Millisecond // per member: in a crowd, balancers are met at a random moment within that
	fewMembers            = 16                   // are no crowd
	busyFactor            = 4                    // where somebody took the connection but had no time for more, pauses grow to that many
	keyComplaint          = time.Minute
)

// try is what the loop remembers of one place, by its text.
type try struct {
	next    time.Time
	pause   time.Duration
	running int // attempts under way
	tried   bool
	latest  *atomic.Bool // of the attempt begun last: somebody has taken its connection
}

type tryResult struct {
	seed      seed
	err       error
	connected bool
}

// rejoiner tries, for ever, the seeds, the members found dead, and those that an earlier run knew. A place where a
// member is present is left alone, except that each balancer is met once, so that it is told of this node over TCP:
// gossip sends a message a few times to members at random, and in a small cluster with a dead member all of those may
// be lost. A balancer that has not answered a probe is tried without waiting for the verdict: if it was restarted, a
// new run is there that knows nobody.
//
// Pauses double from an eighth of RejoinInterval on. While no other balancer is there, nothing can be served, so
// seeds and balancers found dead, or silent just now, are tried hurryFactor times in a RejoinInterval, and no attempt
// waits for an earlier one that nobody has taken yet: a connection to a host that is off hangs for as long as its first
// packets need to be repeated, and the host may be back meanwhile. Who takes connections but is too busy to answer is
// not asked the more for it: where hundreds join at once, that would keep it busy. Else the pauses grow to slowFactor times RejoinInterval. One goroutine
// owns a rejoiner.
type rejoiner struct {
	c          *Cluster
	seeds      []seed
	remembered []netip.AddrPort // from the snapshot, until a balancer is there and each was tried
	tries      map[string]*try
	results    chan tryResult
	running    int       // attempts under way
	attached   bool      // another balancer is there
	heard      bool      // and has answered this node's last probe
	alone      bool      // it was said that no seed answers
	complained time.Time // when it was last logged that keys differ
}

func newRejoiner(c *Cluster, seeds []seed, remembered []netip.AddrPort) *rejoiner {
	return &rejoiner{c: c, seeds: seeds, remembered: remembered, tries: map[string]*try{}, results: make(chan tryResult)}
}

// run returns when ctx has ended and so have all attempts.
func (r *rejoiner) run(ctx context.Context) {
	first := time.AfterFunc(firstRound, r.c.triedOnce)
	defer first.Stop()
	for ctx.Err() == nil {
		wait := time.NewTimer(jitter(r.start(ctx)))
		select {
		case res := <-r.results:
			r.finish(res)
		case r.seeds = <-r.c.reseed:
		case <-r.c.silence:
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
	for r.running > 0 {
		r.finish(<-r.results)
	}
}

// start begins what is due and returns how long to wait for the next that will be.
func (r *rejoiner) start(ctx context.Context) time.Duration {
	now := time.Now()
	known := r.c.places(r.asked()...)
	elsewhere := r.elsewhere(known)
	r.forget(known, elsewhere)
	r.noteAttached(known)
	all := true
	next := now.Add(r.c.cfg.RejoinInterval)
	due := func(s seed) {
		t := r.tries[s.text]
		if t == nil {
			t = &try{next: now.Add(r.patience(s, known)), pause: r.c.cfg.RejoinInterval / 8}
			r.tries[s.text] = t
		}
		hurry := known.sure == 0 && r.urgent(s, known) && !(t.running > 0 && t.latest.Load())
		switch {
		case t.running > 0 && !hurry || t.running >= maxTryingOne || r.running >= maxTrying:
		case t.next.After(now):
			next = earlier(next, t.next)
		default:
			t.running++
			r.running++
			if hurry {
				t.next = now.Add(jitter(min(t.pause, r.c.cfg.RejoinInterval/hurryFactor)))
				next = earlier(next, t.next)
			}
			connected := new(atomic.Bool)
			t.latest = connected
			go func() {
				err := r.c.joinSeed(ctx, s, connected)
				r.results <- tryResult{s, err, connected.Load()}
			}()
		}
	}
	for _, s := range r.seeds {
		if s.addr.IsValid() && (known.settled(s.addr) || r.c.isSelf(s.addr)) {
			continue
		}
		due(s)
		all = all && r.tries[s.text].tried
	}
	for _, addr := range elsewhere {
		due(seed{text: addr.String(), addr: addr})
	}
	if all {
		r.c.triedOnce()
		r.noteAlone()
	}
	return next.Sub(now)
}

// patience is how long a place waits for its first attempt. A crowd that joins at once through one balancer knows the
// other ones at once: to each of these everybody has to tell, and be told, all there is to know.
func (r *rejoiner) patience(s seed, known places) time.Duration {
	crowd := known.members - fewMembers
	if crowd <= 0 || !slices.Contains(known.unmet, s.addr) {
		return 0
	}
	return rand.N(time.Duration(crowd) * meetShare)
}

// asked returns the places of which the loop has to know whether somebody is there.
func (r *rejoiner) asked() []netip.AddrPort {
	all := slices.Clone(r.remembered)
	for _, s := range r.seeds {
		all = append(all, s.addr)
	}
	return all
}

// elsewhere returns the places to try beside the seeds.
func (r *rejoiner) elsewhere(known places) []netip.AddrPort {
	if known.balancers > 0 { // gossip knows better, but two balancers that start together know nobody else
		r.remembered = slices.DeleteFunc(r.remembered, func(a netip.AddrPort) bool {
			t := r.tries[a.String()]
			return t != nil && t.tried
		})
	}
	failed := known.failed
	if r.c.cfg.Meta.Role == RoleAgent && known.sure > 0 { // a balancer is there, which tries the agents
		failed = known.failedBalancers
	}
	all := slices.Concat(failed, known.unmet, known.silent)
	for _, addr := range r.remembered {
		if !known.present[addr] && !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	return all
}

// finish notes the outcome of an attempt and says when the next is due.
func (r *rejoiner) finish(res tryResult) {
	r.running--
	now := time.Now()
	t := r.tries[res.seed.text]
	if t == nil {
		return
	}
	t.tried = true
	t.running--
	known := r.c.places()
	switch {
	case res.err == nil, errors.Is(res.err, errOnlySelf):
		t.pause = reachedFactor * r.c.cfg.RejoinInterval
	case res.connected && !errors.Is(res.err, ErrWrongKey):
		t.pause = min(2*max(t.pause, r.c.cfg.RejoinInterval/hurryFactor), busyFactor*r.c.cfg.RejoinInterval)
	case known.sure > 0 || !r.urgent(res.seed, known):
		t.pause = min(2*t.pause, slowFactor*r.c.cfg.RejoinInterval)
	default:
		t.pause = min(2*t.pause, r.c.cfg.RejoinInterval/hurryFactor)
	}
	if res.err != nil {
		r.c.log.Debug("not reached", "place", res.seed.text, "err", res.err, "next", t.pause)
	}
	t.next = now.Add(jitter(t.pause))
	if errors.Is(res.err, ErrWrongKey) && now.Sub(r.complained) >= keyComplaint {
		r.complained = now
		r.c.log.Error("cannot join: the other side uses another gossip key, or only one side uses any",
			"seed", res.seed.text, "remedy", "give all members the same gossip key")
	}
}

// urgent reports whether a balancer is to be expected at s.
func (r *rejoiner) urgent(s seed, known places) bool {
	return slices.ContainsFunc(r.seeds, func(o seed) bool { return o.text == s.text }) ||
		slices.Contains(known.failedBalancers, s.addr) || slices.Contains(known.silent, s.addr)
}

// forget drops what is remembered of places that are to be tried no more, and of seeds where a member is present: if
// that one vanishes, it is tried afresh at once.
func (r *rejoiner) forget(known places, elsewhere []netip.AddrPort) {
	keep := make(map[string]bool, len(r.seeds)+len(elsewhere))
	for _, s := range r.seeds {
		keep[s.text] = !known.settled(s.addr)
	}
	for _, addr := range elsewhere {
		keep[addr.String()] = true
	}
	for text, t := range r.tries {
		if !keep[text] && t.running == 0 {
			delete(r.tries, text)
		}
	}
}

// noteAttached notes whether another balancer is there, and says so when that has changed. Those who were to be tried
// slowly are in a hurry when there is none any more, or none that answers: one may be behind the VIP that nobody knows.
func (r *rejoiner) noteAttached(known places) {
	was, heard := r.attached, r.heard
	r.attached, r.heard = known.balancers > 0, known.sure > 0
	if was && !r.attached || heard && !r.heard {
		maps.DeleteFunc(r.tries, func(_ string, t *try) bool { return t.running == 0 })
	}
	switch {
	case r.attached == was:
	case r.attached:
		r.c.log.Info("in touch with the cluster", "members", known.members)
	default:
		r.c.log.Warn("no balancer is there any more, but this node if it is one; trying on", "members", known.members)
	}
}

// noteAlone says once that the seeds were tried in vain: who mistyped one would wait for ever.
func (r *rejoiner) noteAlone() {
	if r.alone || r.attached || len(r.seeds) == 0 || len(r.tries) == 0 {
		return
	}
	r.alone = true
	r.c.log.Info("no seed has answered yet; trying on", "seeds", r.c.cfg.Seeds)
}

// jitter shortens d by up to a quarter, so that members that lost each other at one moment do not try in step.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d/4)+1))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
