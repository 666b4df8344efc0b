package election

import (
	"fmt"
	"testing"
	"time"
)

// lossless is a pair with a client, quiet for a while.
func newPair(t *testing.T, seed uint64, nodes int) (w *world, active, backup *simGroup) {
	t.Helper()
	w = newWorld(seed, 20*time.Millisecond)
	w.maxDelay, w.maxTick, w.maxWork, w.relay = time.Millisecond, time.Millisecond, time.Millisecond, true
	w.newStation(false)
	for range nodes {
		w.addNode(Config{SettleTimeout: 200 * time.Millisecond, DrainDeadline: 2 * time.Second, DrainLinger: 200 * time.Millisecond, NewFor: -1}).start()
	}
	w.run(w.now.Add(3*time.Second + w.upTo(w.interval)))
	for _, n := range w.nodes {
		if n.groups[0].answersARP() {
			active = n.groups[0]
		} else {
			backup = n.groups[0]
		}
	}
	if active == nil || backup == nil || w.err != nil {
		t.Fatalf("no pair: %v", w.err)
	}
	return w, active, backup
}

// watchHandover lets d pass, and returns for how long at most nobody answered for the VIP, and whether a
// connection of first was without a way to it at any time.
func (w *world) watchHandover(first *simGroup, d time.Duration) (silent time.Duration, broken bool) {
	answered := w.now
	for end := w.now.Add(d); w.now.Before(end) && w.err == nil; {
		w.run(w.now.Add(100 * time.Microsecond))
		owners := 0
		for _, n := range w.nodes {
			if n.groups[0].answersARP() {
				owners++
				answered = w.now
			}
		}
		if owners > 1 {
			w.fail("both answer for the VIP")
		}
		silent = max(silent, w.now.Sub(answered))
		broken = broken || (first.ho.draining || first.state == Active) && !w.connectionServed(w.stations[0].cache[0], first)
	}
	return silent, broken
}

// A planned handover: nobody is without the VIP for longer than two messages and a claim take, no connection
// loses its way, and nothing is left over. Then back again, in the middle of the drain, and once more.
func TestHandoverLosesNothing(t *testing.T) {
	for seed := range uint64(30) {
		w, a, b := newPair(t, seed, 2)
		for round := range 4 {
			at := a
			if round%2 == 1 { // asked on the other node
				at = b
			}
			at.handOver("")
			silent, broken := w.watchHandover(a, []time.Duration{300 * time.Millisecond, 60 * time.Millisecond}[w.rng.IntN(2)])
			switch {
			case w.err != nil:
				t.Fatalf("seed %d, round %d: %v", seed, round, w.err)
			case !b.answersARP() || a.state != Draining && a.state != Backup:
				t.Fatalf("seed %d, round %d: %s %v, %s %v", seed, round, a, a.state, b, b.state)
			case silent > 10*time.Millisecond || broken:
				t.Fatalf("seed %d, round %d: nobody answered for %v, a connection lost its way: %v", seed, round, silent, broken)
			case len(a.ho.asks)+len(b.ho.asks) > 0:
				t.Fatalf("seed %d, round %d: not answered", seed, round)
			}
			a, b = b, a
		}
		w.run(w.now.Add(4 * time.Second))
		if n := w.leftOver(); n != nil || w.err != nil || a.held == b.held {
			t.Fatalf("seed %d: left over: %+v, both or none hold: %v %v; %v", seed, n, a.held, b.held, w.err)
		}
	}
}

// Each message lost, and each node's death, pause, and unfitness at each step: never two that answer, never
// none for longer than three promises and a claim, or than a takeover takes after a death; and nothing is left.
func TestHandoverInterruptedAtEachStep(t *testing.T) {
	faults := map[string]func(w *world, a, b *simGroup){
		"the message is lost":         func(*world, *simGroup, *simGroup) {},
		"the giver dies":              func(_ *world, a, _ *simGroup) { a.kill() },
		"the giver loses power":       func(_ *world, a, _ *simGroup) { a.powerLoss() },
		"the taker dies":              func(_ *world, _, b *simGroup) { b.kill() },
		"the taker loses power":       func(_ *world, _, b *simGroup) { b.powerLoss() },
		"the giver is paused":         func(_ *world, a, _ *simGroup) { a.pause(time.Second, false) },
		"the taker is paused":         func(_ *world, _, b *simGroup) { b.pause(time.Second, false) },
		"the taker is paused shortly": func(_ *world, _, b *simGroup) { b.pause(70*time.Millisecond, false) },
		"the giver's proxy dies":      func(_ *world, a, _ *simGroup) { a.step(Serving{OK: false, Reason: "died"}) },
		"the taker's proxy dies":      func(_ *world, _, b *simGroup) { b.step(Serving{OK: false, Reason: "died"}) },
		"the giver shall end":         func(_ *world, a, _ *simGroup) { a.step(Shutdown{}) },
		"the taker shall end":         func(_ *world, _, b *simGroup) { b.step(Shutdown{}) },
		"both ways are cut":           func(w *world, a, b *simGroup) { w.cutBoth(a, b) },
		"both ways are cut once told": func(w *world, a, b *simGroup) { w.after(w.upTo(2*w.maxDelay), func() { w.cutBoth(a, b) }) },
	}
	const bound = 3*80*time.Millisecond + 110*time.Millisecond
	for name, fault := range faults {
		for _, step := range []MessageKind{MsgOffer, MsgReady, MsgTake, MsgDrained} {
			for seed := range uint64(12) {
				t.Run(fmt.Sprintf("%v/%s/%d", step, name, seed), func(t *testing.T) {
					w, a, b := newPair(t, seed, 2)
					struck := false
					w.losesTell = func(_ *simGroup, m Message) bool {
						if m.Kind != step || struck {
							return false
						}
						struck = true
						w.after(0, func() { fault(w, a, b) })
						return name == "the message is lost" || seed%2 == 0
					}
					a.handOver("")
					silent, _ := w.watchHandover(a, 5*time.Second)
					limit := bound
					if name == "the taker is paused" || name == "the giver is paused" {
						limit += activeDown(w.interval)
					}
					if w.err != nil || silent > limit || !struck {
						t.Fatalf("nobody answered for %v, at most %v; struck: %v; %v", silent, limit, struck, w.err)
					}
					w.quiet = true
					w.heal()
					w.run(w.now.Add(5 * time.Second))
					if n := w.leftOver(); n != nil || w.err != nil {
						t.Errorf("left over with %v; %v", n, w.err)
					}
				})
			}
		}
	}
}

// cutBoth cuts the adverts and the channel; the segment and the members still carry questions.
func (w *world) cutBoth(a, b *simGroup) {
	w.link(a.id, b.id).cut, w.link(b.id, a.id).cut = true, true
}

// A partition that has a client on each side heals: the loser's client has its connections all the time, and
// then sends to the winner.
func TestE8AHealedPartitionBreaksNoConnection(t *testing.T) {
	for seed := range uint64(30) {
		w, a, b := newPair(t, seed, 2)
		w.newStation(true) // with b, which else could not know that it hears anybody
		w.run(w.now.Add(2 * time.Second))
		w.partition(b.simNode)
		w.stations[0].place.from[b.id], w.stations[0].place.to[b.id] = true, true
		w.stations[1].place.from[a.id], w.stations[1].place.to[a.id] = true, true
		w.run(w.now.Add(2 * time.Second))
		// Who asks in the very moment of the heal may be answered by either.
		asks := stationAsks * w.interval
		w.run(w.now.Add(asks - w.now.Sub(epochStart)%asks + 5*w.maxDelay))
		if a.state != Active || b.state != Active {
			t.Fatalf("seed %d: %s %v, %s %v; want both active", seed, a, a.state, b, b.state)
		}
		w.heal()
		drained := false
		for end := w.now.Add(4 * time.Second); w.now.Before(end) && w.err == nil; w.run(w.now.Add(100 * time.Microsecond)) {
			drained = drained || a.ho.draining
			if (a.ho.draining || a.state == Active) && !w.connectionServed(w.stations[0].cache[0], a) {
				t.Fatalf("seed %d: %s %v, table of %s towards %q: the client sends to %v", seed, a, a.state, b, b.ho.table, w.stations[0].cache[0].name)
			}
		}
		if n := w.leftOver(); w.err != nil || !drained || a.state != Backup || w.stations[0].cache[0] != b.simNode || n != nil {
			t.Fatalf("seed %d: drained: %v; %s %v; left over: %v; %v", seed, drained, a, a.state, n, w.err)
		}
	}
}
