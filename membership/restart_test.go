package membership_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

// vipSeed is a VIP that nobody holds while these tests run: the apps find the balancers by their own addresses.
var vipSeed = []string{"10.0.0.42"}

// Both balancers lose their power for a second and come back knowing each other alone. The apps have given nobody up
// yet, and their own attempts hang in TCP's repetitions.
func TestAppsAreBackSoonAfterBothBalancersWereRestarted(t *testing.T) {
	var worst time.Duration
	for round := range 20 {
		inWorld(t, func(t *testing.T, w *world) {
			lb1, lb2 := w.start("lb1", 11, bothSeeds, nil), w.start("lb2", 12, bothSeeds, nil)
			s1, s2 := w.start("s1", 21, bothSeeds, nil), w.start("s2", 22, bothSeeds, nil)
			all := "lb1:alive lb2:alive s1:alive s2:alive"
			w.agree(3*time.Second, all, lb1, lb2, s1, s2)
			time.Sleep(time.Duration(round) * 37 * time.Millisecond) // at another moment of everybody's rounds
			lb1.crash()
			lb2.crash()
			time.Sleep(time.Second)
			lb1, lb2 = w.start("lb1", 11, bothSeeds, nil), w.start("lb2", 12, bothSeeds, nil)
			took := w.within(time.Second, "both know both apps", func() bool {
				return lb1.member("s1").State == membership.StateAlive && lb1.member("s2").State == membership.StateAlive &&
					lb2.member("s1").State == membership.StateAlive && lb2.member("s2").State == membership.StateAlive
			})
			worst = max(worst, took)
		})
	}
	t.Logf("the longest of 20 took %v", worst)
}

// An agent's own watch is what finds out: memberlist, which probes one member a second from there, would need several.
// What is lost on the way to some of a few packets is no silence.
func TestAnAgentNoticesSoonThatNoBalancerAnswers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1, lb2 := w.start("lb1", 11, bothSeeds, nil), w.start("lb2", 12, bothSeeds, nil)
		nodes := []*node{lb1, lb2}
		for i := range 20 {
			nodes = append(nodes, w.start(fmt.Sprintf("s%d", i), 21+i, bothSeeds, nil))
		}
		s1 := nodes[2]
		w.within(5*time.Second, "all are there", func() bool { return lb1.present() == 22 && lb2.present() == 22 && s1.present() > 11 })
		w.net.Lose(0.1)
		alone := func() bool {
			return s1.member("lb1").State != membership.StateAlive && s1.member("lb2").State != membership.StateAlive
		}
		for range 100 { // ten seconds
			time.Sleep(100 * time.Millisecond)
			if alone() {
				t.Fatal("one packet in ten is lost, and both balancers are silent")
			}
		}
		w.net.Lose(0)
		lb1.crash()
		lb2.crash()
		took := w.within(3*time.Second, "both are silent", alone)
		t.Logf("silent after %v", took)
	})
}

// With a snapshot, balancers need not wait for the apps' attempts: they ask those whom they knew.
func TestBalancersThatRestartTogetherAskWhomTheyKnew(t *testing.T) {
	dir := t.TempDir()
	one, two := keeping(filepath.Join(dir, "lb1")), keeping(filepath.Join(dir, "lb2"))
	inWorld(t, func(t *testing.T, w *world) {
		lb1, lb2 := w.start("lb1", 11, bothSeeds, one), w.start("lb2", 12, bothSeeds, two)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(3*time.Second, "lb1:alive lb2:alive s1:alive", lb1, lb2, s1)
		time.Sleep(11 * time.Second) // a snapshot is written every ten
		lb1.crash()
		lb2.crash()
		time.Sleep(time.Minute)
		s1.stop()
		w.start("s1", 21, vipSeed, nil) // it knows nobody and finds nobody
		time.Sleep(5 * time.Second)
		lb1, lb2 = w.start("lb1", 11, bothSeeds, one), w.start("lb2", 12, bothSeeds, two)
		w.within(300*time.Millisecond, "both know the app", func() bool {
			return lb1.member("s1").State == membership.StateAlive && lb2.member("s1").State == membership.StateAlive
		})
	})
}

// An app that knows nothing but the VIP finds whoever holds it, also a balancer that it has never heard of.
func TestAnAppThatJoinsThroughTheVIPFollowsItToAnUnknownBalancer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.net.Partition([]string{"10.0.0.12"}, []string{"10.0.0.11", "10.0.0.21", "10.0.0.22"})
		lb1, lb2 := w.start("lb1", 11, nil, nil), w.start("lb2", 12, nil, nil)
		w.net.MoveVIP("10.0.0.42", "10.0.0.11")
		s1, s2 := w.start("s1", 21, vipSeed, nil), w.start("s2", 22, vipSeed, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive s2:alive", lb1, s1, s2)
		time.Sleep(time.Minute)
		lb1.crash()
		w.net.Heal()
		w.net.MoveVIP("10.0.0.42", "10.0.0.12")
		took := w.within(5*time.Second, "lb2 knows both apps", func() bool {
			return lb2.member("s1").State == membership.StateAlive && lb2.member("s2").State == membership.StateAlive
		})
		t.Logf("found %v after the VIP had moved", took)
		for _, ev := range append(s1.heard(), s2.heard()...) {
			if strings.HasPrefix(ev, "conflict") {
				t.Error(ev)
			}
		}
	})
}

// Whoever left is forgotten after an hour. (Whoever failed, after a day: TestAbsentMembersAreForgottenInTime.)
func TestWhoLeftIsForgottenInAnHourAndWhoFailedIsNot(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1, s2 := w.start("s1", 21, bothSeeds, nil), w.start("s2", 22, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive s2:alive", lb1, s1, s2)
		if err := s2.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		s2.stop()
		s1.crash()
		w.agree(5*time.Second, "lb1:alive s1:failed s2:left", lb1)
		time.Sleep(59 * time.Minute)
		w.agree(0, "lb1:alive s1:failed s2:left", lb1)
		time.Sleep(2 * time.Minute)
		w.agree(0, "lb1:alive s1:failed", lb1)
	})
}
