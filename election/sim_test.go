package election

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Int64("seed", -1, "run this one schedule of TestSimulation and print what happens")
	schedules = flag.Int("schedules", 1000, "how many schedules TestSimulation runs")
	long      = flag.Bool("long", false, "100,000 schedules, others each time; some five minutes, and with -v it says how many a second")
)

// TestSimulation runs clusters through random faults and then lets them calm down. A schedule that fails is
// repeated by its seed alone.
func TestSimulation(t *testing.T) {
	if *seedFlag >= 0 {
		if err := simulate(uint64(*seedFlag), t.Logf); err != nil {
			t.Error(err)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(2000)) // much short-lived garbage on a tiny heap: half as fast otherwise
	// The short form repeats the same schedules, so that it says the same of the same code;
	// the long one tries others each time.
	first, count := uint64(1), int64(*schedules)
	if *long {
		first, count = rand.Uint64()>>16, 100_000 // short enough to type
	}
	begun := time.Now()
	var next, failed atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1); i <= count && failed.Load() == 0; i = next.Add(1) {
				seed := first + uint64(i)
				if err := simulate(seed, nil); err != nil {
					failed.Add(1)
					t.Errorf("%v\nrepeat it:  go test ./election -run TestSimulation -seed %d -v", err, seed)
				}
			}
		})
	}
	workers.Wait()
	count = min(count, next.Load())
	t.Logf("%d schedules from seed %d, %.0f a second", count, first, float64(count)/time.Since(begun).Seconds())
}

// simulate runs one schedule; the error is the first invariant broken.
func simulate(seed uint64, trace func(string, ...any)) error {
	w := newWorld(seed, []time.Duration{5, 20, 20, 20, 100}[seed%5]*time.Millisecond)
	w.maxDelay, w.maxTick, w.maxWork = w.interval/5, w.interval/10, w.interval
	w.trace = trace
	w.newFor = []time.Duration{-1, -1, -1, 10, 40}[seed/5%5] * w.interval // in most worlds all know each other
	w.populate()
	if w.chance(0.5) {
		for _, n := range w.nodes {
			n.rate = 1 + (w.rng.Float64()*2-1)/100
		}
	}
	together := w.chance(0.3)
	for _, n := range w.nodes {
		d := w.upTo(20 * w.interval)
		if together {
			d = 0
		}
		w.after(d, n.start)
	}
	if w.chance(0.15) && len(w.stations) > 0 && w.interval >= 20*time.Millisecond { // shorter ones take long
		w.outOfReach()
	} else {
		w.trouble(60 * w.interval)
	}
	w.calm()
	return w.err
}

// populate draws who is there.
func (w *world) populate() {
	w.loss = []float64{0, 0.05, 0.3}[w.rng.IntN(3)]
	w.preempt, w.relay = w.chance(0.3), w.chance(0.7)
	w.unable, w.swallow = []float64{0, 0, 0.5}[w.rng.IntN(3)], []float64{0, 0, 0.2}[w.rng.IntN(3)]
	if w.chance(0.35) {
		w.groups = maxGroups
	}
	if w.chance(0.7) {
		w.newStation(false)
		if w.chance(0.3) {
			w.newStation(true)
		}
	}
	if w.chance(0.2) {
		w.squatter = &squatter{w: w, index: w.rng.IntN(w.groups)}
	}
	for range []int{2, 2, 3, 3, 4, maxNodes}[w.rng.IntN(6)] {
		cfgs := make([]Config, w.groups)
		for i := range cfgs { // drawn for each group: some worlds move them as one, others spread them
			cfgs[i] = Config{
				Priority: []uint8{100, 100, 150}[w.rng.IntN(3)], Preempt: w.preempt,
				SettleTimeout: 10 * w.interval, AnswerTimeout: 10 * w.interval, RetryInterval: 10 * w.interval,
				HoldDown: 20 * w.interval, DrainDeadline: 15 * w.interval, DrainLinger: 3 * w.interval, NewFor: w.newFor,
			}
		}
		w.addNode(cfgs...)
	}
}

// trouble lets d pass with faults of every kind.
func (w *world) trouble(d time.Duration) {
	w.late, w.dup = w.rng.Float64()*0.1, w.rng.Float64()*0.1
	for range w.rng.IntN(20) {
		w.after(w.upTo(d), w.fault)
	}
	w.run(w.now.Add(d))
}

// outOfReach lets all become quiet, and then breaks the segment alone, for as long as E6 may need.
func (w *world) outOfReach() {
	w.settles(w.now.Add(w.calmAfter()))
	for range 1 + w.rng.IntN(3) {
		w.after(w.upTo(10*w.interval), func() { w.segmentFault(w.nodes[w.rng.IntN(len(w.nodes))]) })
	}
	w.run(w.now.Add(10*w.interval + w.usefulBound() + w.upTo(UsefulAfter(w.interval))))
}

// fault is one fault, drawn by chance.
func (w *world) fault() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	other := w.rng.IntN(len(w.nodes))
	switch w.rng.IntN(23) {
	case 0:
		n.powerLoss()
	case 1:
		n.start()
	case 2:
		n.step(Shutdown{})
	case 3:
		w.log("cut %s → n%d", n.name, other)
		w.link(n.id, other).cut = true
	case 4:
		w.partition(n)
	case 5:
		w.heal()
	case 6:
		n.pause(w.upTo(30*w.interval), w.chance(0.5))
	case 7:
		n.step(Serving{OK: w.chance(0.5), Reason: "simulated", Alive: w.chance(0.5)})
	case 8:
		n.failing = w.rng.Float64()
	case 9:
		n.hanging = w.rng.Float64()
	case 10:
		n.step(Fitness{Value: uint8(w.rng.IntN(256))})
	case 11:
		n.hang(w.upTo(10 * w.interval))
	case 12:
		n.setDeaf(w.chance(0.7), n.segment.deaf)
	case 13:
		w.log("%s can send nothing", n.name)
		n.dumb = true
	case 14:
		n.kill()
	case 15: // a firewall rejects the state port: nobody has ended
		w.log("the state channel to %s breaks", n.name)
		w.hangUp(n, n.boot)
	case 16:
		w.log("%s loses the members and the wire to n%d", n.name, other)
		w.away[n.id], w.wire[n.id][other] = true, true
	case 17, 18:
		w.segmentFault(n)
	case 20, 21:
		n.groups[w.rng.IntN(w.groups)].handOver("")
	case 22:
		n.groups[w.rng.IntN(w.groups)].handOver(w.nodes[other].name)
	case 19:
		if w.squatter != nil {
			w.squatter.sit(w.chance(0.6))
		}
	}
}

// partition leaves a node alone, but with its members' applications.
func (w *world) partition(n *simNode) {
	w.log("partition: %s alone", n.name)
	for o := range w.nodes {
		w.link(n.id, o).cut, w.link(o, n.id).cut = true, true
		w.wire[n.id][o], w.wire[o][n.id] = true, true
	}
	w.away[n.id] = true
}

// segmentFault breaks something on the VIPs' segment; the adverts may go another way.
func (w *world) segmentFault(n *simNode) {
	switch kind := w.rng.IntN(5); kind {
	case 0:
		w.log("%s can send nothing on the segment", n.name)
		n.segment.mute = true
	case 1:
		n.setDeaf(n.deaf, true)
	case 2, 3:
		w.log("%s and the stations cannot hear each other: %v, %v", n.name, kind == 2, true)
		for _, s := range w.stations {
			s.place.to[n.id], s.place.from[n.id] = true, kind == 2
		}
	case 4:
		o := w.rng.IntN(len(w.nodes))
		w.log("%s and n%d cannot hear each other on the segment", n.name, o)
		w.wire[n.id][o], w.wire[o][n.id] = true, true
	}
}

func (w *world) cutAll() {
	for from := range w.nodes {
		for to := range w.nodes {
			w.link(from, to).cut = true
		}
	}
}

func (w *world) heal() {
	w.log("heal")
	for i := range w.links {
		for j := range w.links[i] {
			w.links[i][j].cut, w.wire[i][j] = false, false
		}
		w.away[i] = false
	}
	for _, s := range w.stations {
		s.place = place{}
	}
	for _, n := range w.nodes {
		n.setDeaf(false, false)
		n.dumb, n.segment.mute = false, false
	}
	if w.squatter != nil && w.squatter.on {
		w.squatter.sit(false)
	}
}

// calmAfter is X: within it exactly one node is active once all are up, fit, and hear each other. The
// longest way there: a late datagram speaks of an active of old; its active-down interval passes; a claim is
// still under way and fails by timeout, what hangs comes to an end, a Fault waits; then one more active-down
// interval, with the highest skew, and a claim with a probe; each wakes up late.
func (w *world) calmAfter() time.Duration {
	cfg := w.nodes[0].groups[0].cfg
	x := lateIntervals*w.interval + cfg.SettleTimeout + w.nodes[0].maxHang() + 2*cfg.RetryInterval +
		3*w.longestPatience() + 6*w.maxWork + 20*w.maxTick + (isolatedAfter+stationAsks)*w.interval + w.handoverTakes()
	if w.preempt { // a yield to the best, which may first have to be heard on the segment again (E6)
		x += 2*cfg.HoldDown + activeDown(w.interval) + UsefulAfter(w.interval)/2
	}
	return x
}

// owner returns the only owner of a group, if the client sends to it and it is to stay; else nil.
func (w *world) owner(k int) *simGroup {
	var owner *simGroup
	for _, n := range w.nodes {
		switch g := n.groups[k]; {
		case g.held && owner != nil:
			return nil
		case g.held:
			owner = g
		}
	}
	if owner == nil || w.leftOver() != nil || !owner.answersARP() || w.betterThan(owner) != nil ||
		len(w.stations) > 0 && w.stations[0].cache[k] != owner.simNode {
		return nil
	}
	return owner
}

// betterThan returns who must have the group in place of its owner, once all is calm.
func (w *world) betterThan(owner *simGroup) *simGroup {
	for _, n := range w.nodes {
		if g := owner.in(n); w.preempt && g.cfg.Priority > owner.cfg.Priority {
			return g
		}
	}
	return nil
}

// settles reports whether the owners are the same for 30 intervals in a row before end, which it does not wait
// for.
func (w *world) settles(end time.Time) bool {
	var owners [maxGroups]*simGroup
	for same := 0; w.err == nil && w.now.Before(end); same++ {
		for k := range w.groups {
			if o := w.owner(k); o == nil || o != owners[k] {
				owners[k], same = o, 0
			}
		}
		if same == 6 {
			return true
		}
		w.run(w.now.Add(5 * w.interval))
	}
	return w.err != nil
}

// calm ends all faults but chance losses, and sees that one node becomes active and stays.
func (w *world) calm() {
	w.log("calm from now on")
	w.quiet, w.late, w.dup = true, 0, 0
	w.heal()
	for _, n := range w.nodes {
		n.failing, n.hanging = 0, 0
		n.resume()
		n.start()
		n.step(Serving{OK: true})
		n.step(Fitness{Value: 255})
	}
	if w.chance(0.8) && w.settles(w.now.Add(w.calmAfter())) {
		return // most of the time of a full calm would go by without news
	}
	w.run(w.now.Add(w.calmAfter()))
	for k := range w.groups {
		w.isCalm(k)
	}
	w.inv.single = w.err == nil
	w.run(w.now.Add(30 * w.interval))
}

func (w *world) isCalm(k int) {
	var owner *simGroup
	for _, n := range w.nodes {
		if g := n.groups[k]; g.held && g.state == Active && owner == nil {
			owner = g
		}
	}
	if owner == nil {
		w.fail("nobody has group %d %v after all became calm", k, w.calmAfter())
		return
	}
	if g := w.betterThan(owner); g != nil {
		w.fail("%s is active, though %s is better", owner, g)
	}
	w.inv.groups[k].owner = owner
}
