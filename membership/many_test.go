package membership_test

import (
	"flag"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

var long = flag.Bool("long", false, "a thousand members in place of a hundred and fifty")

// The scale that a cluster is built for: everybody joins at once, through one seed, and then a third leaves at once.
// The line that it logs is what the benchmark of membership prints.
func TestAThousandMembersJoinAtOnce(t *testing.T) {
	count, rest := 150, 30*time.Second
	if *long {
		count, rest = 1000, 0
		defer debug.SetGCPercent(debug.SetGCPercent(300)) // the million of entries is there to stay
	}
	inWorld(t, func(t *testing.T, w *world) {
		seeds := []string{"10.0.0.1"}
		quiet := func(cfg *membership.Config) { cfg.Log = nobodyCares }
		lbs := []*node{w.startAt("lb1", "10.0.0.1", []string{"10.0.0.2"}, quiet), w.startAt("lb2", "10.0.0.2", seeds, quiet)}
		w.agree(2*time.Second, "lb1:alive lb2:alive", lbs...)
		var agents []*node
		begun := time.Now()
		for i := range count {
			agents = append(agents, w.startAt(fmt.Sprintf("s%d", i), fmt.Sprintf("10.0.%d.%d", 1+i/200, 1+i%200), seeds, quiet))
		}
		known := func(nodes []*node, want int) func() bool {
			next := 0 // those before it know
			return func() bool {
				for next < len(nodes) && nodes[next].present() == want {
					next++
				}
				return next == len(nodes)
			}
		}
		w.within(5*time.Second, "both balancers know all", known(lbs, count+2))
		joined := time.Since(begun)
		if !*long { // a million of pairs would take the better part of an hour
			// Agents hear of each other by gossip alone, at their leisure: all that matters to an app is which balancers there are.
			w.within(2*time.Minute, "everybody knows everybody", known(agents, count+2))
			t.Logf("everybody knows everybody after %v", time.Since(begun))
		}
		time.Sleep(max(rest, 5*time.Second-time.Since(begun)))
		for _, n := range lbs {
			if got := n.present(); got != count+2 {
				t.Errorf("%s sees %d members after a rest, want %d", n.addr, got, count+2)
			}
		}
		begun = time.Now()
		leaving := 0
		for i := 0; i < count; i += 3 {
			leaving++
			go agents[i].Leave(t.Context())
		}
		w.within(5*time.Second, "both balancers know who has left", known(lbs, count+2-leaving))
		left := time.Since(begun)
		t.Logf(`measured in fake time: {"members":%d,"joined_s":%.2f,"left_s":%.2f}`, count+2, joined.Seconds(), left.Seconds())
	})
}

// Whoever joins through the VIP has met the balancer behind it, and does not tell it everything once more.
func TestTheBalancerBehindTheVIPIsMetOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quiet := func(cfg *membership.Config) { cfg.Log = nobodyCares }
		lb1, lb2 := w.startAt("lb1", "10.0.0.11", nil, quiet), w.startAt("lb2", "10.0.0.12", []string{"10.0.0.11"}, quiet)
		w.net.MoveVIP("10.0.0.42", "10.0.0.11")
		w.agree(2*time.Second, "lb1:alive lb2:alive", lb1, lb2)
		before := w.net.Streams("10.0.0.11")
		const crowd = 40
		for i := range crowd {
			w.startAt(fmt.Sprintf("s%d", i), fmt.Sprintf("10.0.1.%d", 1+i), vipSeed, quiet)
		}
		w.within(2*time.Second, "both know all", func() bool { return lb1.present() == crowd+2 && lb2.present() == crowd+2 })
		if n := w.net.Streams("10.0.0.11") - before; n > crowd*3/2 {
			t.Errorf("%d apps have opened %d streams to the balancer behind the VIP", crowd, n)
		}
	})
}

// present is how many members this one holds for present, itself included.
func (n *node) present() int {
	count := 0
	for _, m := range n.Members() {
		if m.State.Present() {
			count++
		}
	}
	return count
}
