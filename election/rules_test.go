package election

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// testConfig is node "a" of the group "vip" at 10.0.0.1.
func testConfig() Config {
	return Config{Group: "vip", Node: "a", Boot: 1, Addr: netip.MustParseAddr("10.0.0.1"), NewFor: -1}
}

func newMachine(t *testing.T, cfg Config) *Machine {
	t.Helper()
	m, err := New(cfg, epochStart)
	if err != nil {
		t.Fatal(err)
	}
	m.Tick(epochStart)
	return m
}

// newActive brings a lone node through its cold start.
func newActive(t *testing.T, cfg Config) *Machine {
	t.Helper()
	m := newMachine(t, cfg)
	m.Step(epochStart, SeedsTried{})
	now := tickUntil(t, m, func(a Action) bool { _, ok := a.(Probe); return ok })
	m.Step(now, Probed{Token: m.token})
	m.Step(now, Claimed{Token: m.token})
	if m.state != Active {
		t.Fatalf("%+v, want Active", m.Status())
	}
	return m
}

// tickUntil lets time pass until an action fits, and returns when that was.
func tickUntil(t *testing.T, m *Machine, fits func(Action) bool) time.Time {
	t.Helper()
	for range 10_000 {
		now := m.Deadline()
		if slices.ContainsFunc(m.Tick(now), fits) {
			return now
		}
	}
	t.Fatalf("it never came: %+v", m.Status())
	return time.Time{}
}

func isClaim(a Action) bool { _, ok := a.(Claim); return ok }

// from returns what a peer at 10.0.0.x says.
func from(node string, x byte, g GroupAdvert) Heard {
	g.Name = "vip"
	return Heard{Node: node, Boot: 1, Addr: netip.AddrFrom4([4]byte{10, 0, 0, x}), Interval: 20 * time.Millisecond, Group: g}
}

func backupAdvert() GroupAdvert { return GroupAdvert{State: Backup, Priority: 100, Fitness: 255} }

func activeAdvert(epoch uint64) GroupAdvert {
	return GroupAdvert{State: Active, Priority: 100, Fitness: 255, Epoch: epoch}
}

func TestE4ActiveDownIntervalIsFourIntervalsPlusSkew(t *testing.T) {
	for _, tc := range []struct {
		interval time.Duration // of the active
		better   int           // candidates
		want     time.Duration
	}{
		{5 * time.Millisecond, 0, 20 * time.Millisecond},
		{5 * time.Millisecond, 1, 30 * time.Millisecond},
		{20 * time.Millisecond, 0, 80 * time.Millisecond},
		{20 * time.Millisecond, 1, 90 * time.Millisecond},
		{20 * time.Millisecond, 3, 110 * time.Millisecond},
		{100 * time.Millisecond, 0, 400 * time.Millisecond},
		{100 * time.Millisecond, 1, 450 * time.Millisecond},
		{10 * time.Second, 2, 50 * time.Second},
	} {
		t.Run(fmt.Sprintf("%v rank %d", tc.interval, tc.better), func(t *testing.T) {
			m := newMachine(t, testConfig())
			for i := range tc.better {
				h := from(fmt.Sprintf("better%d", i), byte(10+i), backupAdvert())
				h.Interval = MaxAdvertInterval // so they are alive when it matters
				m.Step(epochStart, h)
			}
			h := from("active", 2, activeAdvert(3))
			h.Interval = tc.interval
			m.Step(epochStart, h)
			got := tickUntil(t, m, isClaim).Sub(epochStart)
			if tc.interval == MaxAdvertInterval {
				tc.want = activeDown(tc.interval) // they fell silent with the active: nobody is better any more
			}
			if got != tc.want {
				t.Errorf("claimed after %v, want %v", got, tc.want)
			}
		})
	}
}

// However often the active is heard, only its last advert counts.
func TestE4EachAdvertBeginsTheActiveDownIntervalAnew(t *testing.T) {
	m := newMachine(t, testConfig())
	last := epochStart
	for range 100 {
		last = last.Add(39 * time.Millisecond) // twice the interval: what E13 does not yet call late
		if slices.ContainsFunc(m.Step(last, from("b", 2, activeAdvert(1))), isClaim) {
			t.Fatal("claimed against an active that was heard")
		}
		for m.Deadline().Before(last.Add(39 * time.Millisecond)) {
			if slices.ContainsFunc(m.Tick(m.Deadline()), isClaim) {
				t.Fatal("claimed against an active that was heard")
			}
		}
	}
	if got := tickUntil(t, m, isClaim).Sub(last); got != 80*time.Millisecond {
		t.Errorf("claimed %v after the last advert, want 80ms", got)
	}
}

func TestE8EveryClaimTakesTheHighestEpochSeenPlusOne(t *testing.T) {
	for _, tc := range []struct {
		heard []GroupAdvert
		want  uint64
	}{
		{[]GroupAdvert{activeAdvert(1)}, 2},
		{[]GroupAdvert{activeAdvert(9)}, 10},
		{[]GroupAdvert{activeAdvert(9), activeAdvert(4)}, 10},                                        // what was seen once counts
		{[]GroupAdvert{activeAdvert(1), {State: Backup, Priority: 100, Epoch: 30}}, 31},              // from whoever
		{[]GroupAdvert{activeAdvert(1), {State: Fault, Epoch: 40}}, 41},                              // in whatever state
		{[]GroupAdvert{activeAdvert(1), {State: Active, Priority: 100, Epoch: maxEpoch}}, maxEpoch},  // never wraps
		{[]GroupAdvert{activeAdvert(1), {State: Active, Priority: 100, Epoch: 1<<64 - 1}}, maxEpoch}, // whatever is thrown at it
	} {
		m := newMachine(t, testConfig())
		for i, g := range tc.heard {
			m.Step(epochStart, from(fmt.Sprint(i), byte(i+2), g))
		}
		var got uint64
		tickUntil(t, m, func(a Action) bool {
			c, ok := a.(Claim)
			got = c.Epoch
			return ok
		})
		if got != tc.want {
			t.Errorf("after %+v: claimed with epoch %d, want %d", tc.heard, got, tc.want)
		}
	}
}

// Both sides see the same two pairs, so exactly one of two actives stays, whatever they are.
func TestE8OfTwoActivesExactlyOneStays(t *testing.T) {
	type side struct {
		epochs   int // claims before the meeting
		priority uint8
		fitness  uint8
	}
	var sides []side
	for _, epochs := range []int{0, 1, 5} {
		for _, priority := range []uint8{1, 100, 254} {
			for _, fitness := range []uint8{1, 128, 255} {
				sides = append(sides, side{epochs, priority, fitness})
			}
		}
	}
	active := func(node string, x byte, s side) *Machine {
		cfg := testConfig()
		cfg.Node, cfg.Addr, cfg.Priority = node, netip.AddrFrom4([4]byte{10, 0, 0, x}), s.priority
		m := newMachine(t, cfg)
		m.Step(epochStart, from("old", 9, GroupAdvert{State: Fault, Epoch: uint64(s.epochs)}))
		m.Step(epochStart, Fitness{s.fitness})
		m.Step(epochStart, SeedsTried{})
		now := tickUntil(t, m, func(a Action) bool { _, ok := a.(Probe); return ok })
		m.Step(now, Probed{Token: m.token})
		m.Step(now, Claimed{Token: m.token})
		return m
	}
	for _, sa := range sides {
		for _, sb := range sides {
			a, b := active("a", 1, sa), active("b", 2, sb)
			toA, toB := from("b", 2, b.Advert()), from("a", 1, a.Advert())
			a.Step(a.now, toA)
			b.Step(b.now, toB)
			if (a.state == Active) == (b.state == Active) {
				t.Fatalf("a %+v is %v, b %+v is %v", sa, a.state, sb, b.state)
			}
			if wantA := sa.epochs > sb.epochs; sa.epochs != sb.epochs && (a.state == Active) != wantA {
				t.Fatalf("a %+v is %v, b %+v is %v: the lower epoch stays", sa, a.state, sb, b.state)
			}
		}
	}
}

func TestE9RankOrdersByFitnessThenPriorityThenAddress(t *testing.T) {
	addr := netip.MustParseAddr
	ascending := []rank{
		{false, 0, 254, addr("10.0.0.9"), "z", 9},
		{false, 1, 1, addr("10.0.0.9"), "z", 9},
		{false, 1, 2, addr("10.0.0.1"), "z", 9},
		{false, 1, 2, addr("10.0.0.2"), "z", 9}, // RFC 9568, 6.4.3: the higher address
		{false, 1, 2, addr("10.0.0.10"), "a", 1},
		{false, 1, 2, addr("fd00::1"), "a", 1},
		{false, 1, 2, addr("fd00::1"), "b", 1}, // a shared address is a mistake, yet one of them wins
		{false, 1, 2, addr("fd00::1"), "b", 2},
		{false, 2, 1, addr("10.0.0.1"), "a", 1},
		{true, 1, 1, addr("10.0.0.1"), "a", 1}, // whoever has connections to lose
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got, want := a.compare(b), sign(i-j); got != want {
				t.Errorf("%+v against %+v: %d, want %d", a, b, got, want)
			}
		}
	}
	mapped := ascending[2]
	mapped.addr = addr("::ffff:10.0.0.1")
	if mapped.compare(ascending[2]) != 0 {
		t.Error("an address written in two ways is two")
	}
}

func sign(n int) int { return min(max(n, -1), 1) }

func TestE10FitnessCountsInBuckets(t *testing.T) {
	for fitness, want := range map[uint8]uint8{0: 0, 1: 1, 64: 1, 65: 2, 128: 2, 129: 3, 192: 3, 193: 4, 255: 4} {
		if got := fitnessBucket(fitness); got != want {
			t.Errorf("fitness %d is in bucket %d, want %d", fitness, got, want)
		}
	}
}

func TestE13PatienceFollowsTheLatenessThatTheSenderAdmits(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct{ interval, late, want time.Duration }{
		{20 * ms, 0, 80 * ms},
		{20 * ms, 20 * ms, 80 * ms},
		{20 * ms, 40 * ms, 140 * ms},
		{20 * ms, 300 * ms, 920 * ms},
		{20 * ms, time.Hour, time.Second},       // capped
		{200 * ms, time.Hour, 2 * time.Second},  // at ten intervals
		{10 * time.Second, 0, 40 * time.Second}, // but never below four
		{10 * time.Second, 20e9, 70 * time.Second},
		{5 * ms, 10 * ms, 35 * ms},
		{5 * ms, time.Duration(1 << 62), 1000 * ms}, // no overflow
	} {
		if got := patience(tc.interval, tc.late); got != tc.want {
			t.Errorf("interval %v, late %v: %v, want %v", tc.interval, tc.late, got, tc.want)
		}
	}
}

func TestOwnAdvertsAreIgnored(t *testing.T) {
	m := newActive(t, testConfig())
	own := from("a", 1, m.Advert())
	own.Group.Epoch++
	if acts := m.Step(m.now, own); len(acts) > 0 || len(m.peers) > 0 {
		t.Errorf("%v, peers %v", acts, m.peers)
	}
	other := from("b", 2, activeAdvert(99))
	other.Group.Name = "other"
	if acts := m.Step(m.now, other); len(acts) > 0 || len(m.peers) > 0 {
		t.Errorf("another group's advert: %v, peers %v", acts, m.peers)
	}
}

// Two nodes of one name are a mistake of the operator; they must not be two owners.
func TestTwoNodesOfOneNameAreTwoNodes(t *testing.T) {
	m := newActive(t, testConfig())
	twin := from("a", 2, activeAdvert(1))
	twin.Boot = 2
	m.Step(m.now, twin)
	if m.state != Draining {
		t.Errorf("%v, want draining: the twin has the higher address", m.state)
	}
}

func TestPeersAreBounded(t *testing.T) {
	m := newMachine(t, testConfig())
	for i := range 3 * MaxPeers {
		m.Step(epochStart, from(fmt.Sprint(i), 2, backupAdvert()))
	}
	if n := len(m.Status().Peers); n != MaxPeers {
		t.Errorf("%d peers, want %d", n, MaxPeers)
	}
	// Those who have fallen silent make room.
	now := epochStart.Add(time.Minute)
	m.Step(now, from("new", 2, activeAdvert(1)))
	if s := m.Status(); s.Active != "new" || !slices.IsSortedFunc(s.Peers, func(a, b Peer) int { return strings.Compare(a.Node, b.Node) }) {
		t.Errorf("%+v", s)
	}
}

func TestAClockThatGoesBackwardsStandsStill(t *testing.T) {
	m := newMachine(t, testConfig())
	m.Step(epochStart.Add(time.Second), from("b", 2, activeAdvert(1)))
	m.Tick(epochStart)
	if got := tickUntil(t, m, isClaim).Sub(epochStart); got != 1080*time.Millisecond {
		t.Errorf("claimed after %v, want 1.08s", got)
	}
}

func TestATickTooEarlyIsHarmless(t *testing.T) {
	m := newMachine(t, testConfig())
	m.Step(epochStart, from("b", 2, activeAdvert(1)))
	for now := epochStart; now.Before(epochStart.Add(80 * time.Millisecond)); now = now.Add(100 * time.Microsecond) {
		if slices.ContainsFunc(m.Tick(now), isClaim) {
			t.Fatalf("claimed after %v", now.Sub(epochStart))
		}
	}
	if !slices.ContainsFunc(m.Tick(epochStart.Add(80*time.Millisecond)), isClaim) {
		t.Error("no claim after 80ms")
	}
}

func TestConfigReportsEveryFaultAtOnce(t *testing.T) {
	_, err := New(Config{
		Group: strings.Repeat("x", 64), Priority: 255, AdvertInterval: time.Millisecond,
		SettleTimeout: -1, AnswerTimeout: time.Hour, RetryInterval: 1, HoldDown: 1,
	}, epochStart)
	for _, field := range []string{
		"Group", "Node", "Boot", "Addr", "Priority", "AdvertInterval", "SettleTimeout", "AnswerTimeout", "RetryInterval", "HoldDown",
	} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v\nsays nothing about %s", err, field)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	cfg := testConfig()
	cfg.NewFor = 0
	m := newMachine(t, cfg)
	want := testConfig()
	want.Priority, want.AdvertInterval = 100, 20*time.Millisecond
	want.SettleTimeout, want.AnswerTimeout = 3*time.Second, 3*time.Second
	want.RetryInterval, want.HoldDown = time.Second, 10*time.Second
	want.DrainDeadline, want.DrainLinger = 5*time.Minute, 2*time.Second
	want.NewFor = 5 * time.Second
	if m.cfg != want {
		t.Errorf("%+v, want %+v", m.cfg, want)
	}
}

func TestATransitionTheDiagramDoesNotShowPanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "init → active") {
			t.Errorf("recovered %v", r)
		}
	}()
	m, err := New(testConfig(), epochStart)
	if err != nil {
		t.Fatal(err)
	}
	m.becomeActive()
}

func TestAnEndedMachineIsSilent(t *testing.T) {
	m := newActive(t, testConfig())
	m.Step(m.now, Shutdown{})
	m.Step(m.now, Released{Token: m.token, Err: errors.New("no such device")})
	if m.state != Init || !m.Deadline().IsZero() {
		t.Fatalf("%+v, deadline %v; want an end", m.Status(), m.Deadline())
	}
	for _, ev := range []Event{SeedsTried{}, from("b", 2, activeAdvert(9)), Claimed{Token: m.token}, Serving{}, Shutdown{}} {
		if acts := m.Step(m.now, ev); len(acts) > 0 {
			t.Errorf("%T: %v", ev, acts)
		}
	}
	if acts := m.Tick(m.now.Add(time.Hour)); len(acts) > 0 {
		t.Errorf("Tick: %v", acts)
	}
}

func TestNamesOfStatesAndReasons(t *testing.T) {
	for s := range numStates + 1 {
		if name := s.String(); name == "" || strings.Contains(name, "(") != (s == numStates) {
			t.Errorf("state %d is called %q", s, name)
		}
	}
	for w := range numWhys + 1 {
		if name := w.String(); name == "" || strings.Contains(name, "(") != (w == numWhys) {
			t.Errorf("reason %d is called %q", w, name)
		}
	}
	r := Reason{Why: WhyForeignOwner, Node: "b", Detail: "02:00:00:00:00:07"}
	if got, want := r.String(), "foreign-owner b (02:00:00:00:00:07)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
