package election

import (
	"testing"
	"time"
)

// What a pair with a client and members does when one fault hits it, once all has been quiet for a while: how
// long the client is without an owner at most, and whether the VIP moves at all.
func TestOneFault(t *testing.T) {
	const interval = 20 * time.Millisecond
	for _, tc := range []struct {
		fault  string
		do     func(w *world, active, backup *simNode)
		moves  bool
		outage time.Duration // the client sends to nobody who serves; at most
	}{
		{"the advert path is cut", func(w *world, a, b *simNode) { w.link(a.id, b.id).cut, w.link(b.id, a.id).cut = true, true }, false, 0},
		{"the adverts of the active alone are cut", func(w *world, a, b *simNode) { w.link(a.id, b.id).cut = true }, false, 0},
		{"advert path and members are cut, the wire is whole", func(w *world, a, b *simNode) {
			w.link(a.id, b.id).cut, w.link(b.id, a.id).cut, w.away[a.id] = true, true, true
		}, false, 0},
		{"the backup is deaf", func(_ *world, _, b *simNode) { b.setDeaf(true, false) }, false, 0},
		{"the backup is paused", func(_ *world, _, b *simNode) { b.pause(2*time.Second, true) }, false, 0},
		{"the state port is rejected", func(w *world, a, _ *simNode) { w.hangUp(a, a.boot) }, false, 0},
		{"the active is paused for less than anybody notices", func(_ *world, a, _ *simNode) { a.pause(2*interval, false) }, false, 2*interval + 10*time.Millisecond},
		{"the active can send nothing on the segment", func(_ *world, a, _ *simNode) { a.segment.mute = true }, true, 1400 * time.Millisecond},
		{"it can send nothing there, and no advert comes from it either", func(w *world, a, b *simNode) {
			a.segment.mute, w.link(a.id, b.id).cut, w.link(b.id, a.id).cut = true, true, true
		}, true, 1400 * time.Millisecond},
		{"the active is deaf on the segment", func(_ *world, a, _ *simNode) { a.setDeaf(false, true) }, true, 500 * time.Millisecond},
		{"the stations do not hear the active, its peer does", func(w *world, a, _ *simNode) { w.stations[0].place.to[a.id] = true }, false, 7100 * time.Millisecond},
		{"active and backup do not hear each other on the segment", func(w *world, a, b *simNode) {
			w.wire[a.id][b.id], w.wire[b.id][a.id] = true, true
		}, false, 0},
		{"the backup can send nothing on the segment", func(_ *world, _, b *simNode) { b.segment.mute = true }, false, 0},
		{"the backup is deaf on the segment", func(_ *world, _, b *simNode) { b.setDeaf(false, true) }, false, 0},
		{"the active loses power", func(_ *world, a, _ *simNode) { a.powerLoss() }, true, 110 * time.Millisecond},
		{"kill -9 of the active's keeper", func(_ *world, a, _ *simNode) { a.kill() }, true, 20 * time.Millisecond},
		{"the active is paused for five seconds", func(_ *world, a, _ *simNode) { a.pause(5*time.Second, false) }, true, 110 * time.Millisecond},
		{"so it is, and its clock stands still", func(_ *world, a, _ *simNode) { a.pause(5*time.Second, true) }, true, 110 * time.Millisecond},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			var worst time.Duration
			for seed := range uint64(20) {
				w := newWorld(seed, interval)
				w.maxDelay, w.maxTick, w.maxWork, w.relay = time.Millisecond, time.Millisecond, time.Millisecond, true
				w.newStation(false)
				for range 2 {
					w.addNode(Config{NewFor: -1}).start()
				}
				w.run(w.now.Add(6*time.Second + w.upTo(interval)))
				active, backup := w.nodes[0], w.nodes[1]
				if backup.groups[0].answersARP() {
					active, backup = backup, active
				}
				tc.do(w, active, backup)
				outage, moves := w.watch(active, 7*time.Second)
				worst = max(worst, outage)
				if w.err != nil || w.stations[0].cache[0] == nil || moves > 1 || (moves == 1) != tc.moves {
					t.Fatalf("seed %d: the client's owner changed %d times, moves %v; %v", seed, moves, tc.moves, w.err)
				}
			}
			t.Logf("worst outage %v", worst)
			if worst > tc.outage {
				t.Errorf("an outage of %v, want at most %v", worst, tc.outage)
			}
		})
	}
}

// watch lets d pass and returns the longest time for which nobody served whom the client sends to, and how
// often that changed. It fails the world at once when two answer for the VIP.
func (w *world) watch(first *simNode, d time.Duration) (longest time.Duration, moves int) {
	served, owner := w.now, first
	for end := w.now.Add(d); w.now.Before(end) && w.err == nil; {
		w.run(w.now.Add(100 * time.Microsecond))
		if c := w.stations[0].cache[0]; c != owner {
			owner, moves = c, moves+1
		}
		if owner.groups[0].answersARP() && w.exchanges(owner, &w.stations[0].place) {
			served = w.now
		}
		longest = max(longest, w.now.Sub(served))
		if w.nodes[0].groups[0].answersARP() && w.nodes[1].groups[0].answersARP() {
			w.fail("both answer for the VIP")
		}
	}
	return longest, moves
}
