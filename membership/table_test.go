package membership

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tableWorld drives a table with short texts.
type tableWorld struct {
	t   *testing.T
	tab *table
	now time.Time
	all []string
}

func newTableWorld(t *testing.T) *tableWorld {
	return &tableWorld{t: t, tab: newTable("me#1-A"), now: time.Unix(1000, 0)}
}

func (w *tableWorld) add(events []Event) {
	for _, ev := range events {
		w.all = append(w.all, fmt.Sprintf("%v %s@%v", ev.Kind, ev.Member.Name, ev.Member.Addr))
	}
	w.now = w.now.Add(time.Second)
}

func said(seq uint64, pool string) statement {
	return statement{meta: Meta{Role: RoleAgent, Apps: []App{{Pool: pool, Weight: 100}}}, seq: seq}
}

func (w *tableWorld) heard(wire, addr string, s statement) {
	w.add(w.tab.heard(wire, netip.AddrPortFrom(netip.MustParseAddr(addr), 7946), s, w.now))
}

func (w *tableWorld) want(text string) {
	w.t.Helper()
	if got := strings.Join(w.all, ", "); got != text {
		w.t.Errorf("got  %s\nwant %s", got, text)
	}
	w.all = nil
}

func TestADirectPushIsNotUndoneByOlderGossip(t *testing.T) {
	w := newTableWorld(t)
	w.heard("s1#5-A", "10.0.0.1", said(1, "web"))
	w.add(w.tab.pushed("s1#5-A", said(3, "api"), w.now))
	w.heard("s1#5-A", "10.0.0.1", said(2, "old"))
	w.add(w.tab.pushed("s1#5-A", said(2, "old"), w.now))
	w.want("join s1@10.0.0.1, update s1@10.0.0.1")
	if got := w.tab.members()[0].Meta.Apps[0].Pool; got != "api" {
		t.Errorf("pool is %q", got)
	}
}

func TestAPushThatIsFasterThanTheJoinIsNotLost(t *testing.T) {
	w := newTableWorld(t)
	w.add(w.tab.pushed("s1#5-A", said(2, "api"), w.now))
	w.want("")
	w.heard("s1#5-A", "10.0.0.1", said(1, "web"))
	w.want("join s1@10.0.0.1")
	if got := w.tab.members()[0].Meta.Apps[0].Pool; got != "api" {
		t.Errorf("pool is %q", got)
	}
	for i := range 2 * maxEarly {
		w.add(w.tab.pushed(fmt.Sprintf("x%d#5-A", i), said(1, ""), w.now))
	}
	if n := len(w.tab.early); n > maxEarly {
		t.Errorf("%d early pushes are kept", n)
	}
}

func TestTheLaterRunAtOneAddressReplacesTheEarlierWhateverTheOrder(t *testing.T) {
	for _, order := range [][]string{{"s1#5-A", "s1#6-B"}, {"s1#6-B", "s1#5-A"}} {
		w := newTableWorld(t)
		for _, wire := range order {
			w.heard(wire, "10.0.0.1", said(1, wire))
		}
		if got := w.tab.members()[0].Meta.Apps[0].Pool; got != "s1#6-B" {
			t.Errorf("%v: shown is %s", order, got)
		}
		w.all = nil
		w.add(w.tab.gone("s1#5-A", w.now))
		w.want("")
		if w.tab.dispute {
			t.Error("two runs at one address were taken for a dispute")
		}
	}
}

func TestAClockThatWasSetBackHidesARestartOnlyUntilTheOldRunIsFoundDead(t *testing.T) {
	w := newTableWorld(t)
	w.heard("s1#9-A", "10.0.0.1", said(1, "old"))
	w.heard("s1#2-B", "10.0.0.1", said(1, "new"))
	w.all = nil
	w.add(w.tab.gone("s1#9-A", w.now))
	w.want("update s1@10.0.0.1")
	if got := w.tab.members()[0].Meta.Apps[0].Pool; got != "new" {
		t.Errorf("shown is %s", got)
	}
}

func TestNothingThatIsStillGossipedReplacesThisNode(t *testing.T) {
	w := newTableWorld(t)
	w.heard("me#1-A", "10.0.0.1", said(1, "now"))
	w.heard("me#9-B", "10.0.0.1", said(1, "before the clock was set back"))
	w.add(w.tab.gone("me#9-B", w.now))
	w.want("join me@10.0.0.1")
	if m := w.tab.members()[0]; !m.Self || m.Meta.Apps[0].Pool != "now" || m.State != StateAlive {
		t.Errorf("shown is %+v", m)
	}
}

func TestWhoSaidGoodbyeHasLeftAndWhoDidNotHasFailed(t *testing.T) {
	w := newTableWorld(t)
	bye := said(2, "web")
	bye.leaving = true
	w.heard("s1#5-A", "10.0.0.1", said(1, "web"))
	w.heard("s1#5-A", "10.0.0.1", bye)
	w.add(w.tab.gone("s1#5-A", w.now))
	w.want("join s1@10.0.0.1, leave s1@10.0.0.1")
	w.heard("s1#7-A", "10.0.0.1", said(1, "web"))
	w.add(w.tab.gone("s1#7-A", w.now))
	w.want("join s1@10.0.0.1, failed s1@10.0.0.1")
}

func TestSuspicionIsShownAndIsNoEvent(t *testing.T) {
	w := newTableWorld(t)
	w.heard("s1#5-A", "10.0.0.1", said(1, "web"))
	w.tab.suspect("s1#5-A", true, w.now)
	if m := w.tab.members()[0]; m.State != StateSuspect || !m.Since.Equal(w.now) {
		t.Errorf("shown is %v since %v", m.State, m.Since)
	}
	w.tab.suspect("s1#5-A", false, w.now)
	w.want("join s1@10.0.0.1")
	if m := w.tab.members()[0]; m.State != StateAlive {
		t.Errorf("shown is %v", m.State)
	}
}

func TestAbsentMembersAreForgottenInTime(t *testing.T) {
	w := newTableWorld(t)
	bye := said(2, "web")
	bye.leaving = true
	w.heard("here#1-A", "10.0.0.1", said(1, "web"))
	w.heard("left#1-A", "10.0.0.2", bye)
	w.heard("failed#1-A", "10.0.0.3", said(1, "web"))
	w.add(w.tab.gone("failed#1-A", w.now))
	names := func() string {
		var all []string
		for _, m := range w.tab.members() {
			all = append(all, m.Name)
		}
		return strings.Join(all, " ")
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{keepLeft, "failed here"}, {keepFailed, "here"}} {
		w.now = w.now.Add(step.after)
		w.tab.expire(w.now)
		if got := names(); got != step.want {
			t.Errorf("after %v: %q, want %q", step.after, got, step.want)
		}
	}
	if len(w.tab.runs) != 1 {
		t.Errorf("%d runs are kept", len(w.tab.runs))
	}
	for i := range maxAbsent + 10 {
		wire := fmt.Sprintf("x%d#1-A", i)
		w.heard(wire, "10.0.0.9", said(1, ""))
		w.add(w.tab.gone(wire, w.now))
	}
	w.tab.expire(w.now)
	if n := len(w.tab.members()); n != maxAbsent+1 {
		t.Errorf("%d members are kept, want %d", n, maxAbsent+1)
	}
}

func TestManyRestartsLeaveNothingBehind(t *testing.T) {
	w := newTableWorld(t)
	for i := range 1000 {
		wire := fmt.Sprintf("s1#%d-A", i+1)
		w.heard(wire, "10.0.0.1", said(1, ""))
		if i%2 == 0 {
			w.add(w.tab.gone(wire, w.now))
		}
	}
	for i := range 1000 {
		w.add(w.tab.gone(fmt.Sprintf("s1#%d-A", i+1), w.now))
	}
	if len(w.tab.runs) != 1 || len(w.tab.entries["s1"].runs) != 1 {
		t.Errorf("%d runs are kept", len(w.tab.runs))
	}
}

func TestEventsThatNobodyReceivesAreMergedPerMemberAndKeepTheirOrder(t *testing.T) {
	q := newEventQueue()
	for i := range 3 * maxEvents {
		kind := []EventKind{EventJoin, EventFail}[i/100%2]
		q.push([]Event{{Kind: kind, Member: Member{Name: fmt.Sprint(i % 100)}, At: time.Unix(int64(i), 0)}})
		if len(q.waiting) > maxEvents {
			t.Fatalf("%d events wait", len(q.waiting))
		}
	}
	q.push([]Event{{Kind: EventConflict, Member: Member{Name: "7"}, At: time.Unix(1<<40, 0)}})
	q.merge()
	var last time.Time
	count := 0
	for ev, ok := q.pop(); ok; ev, ok = q.pop() {
		if !ev.At.After(last) {
			t.Error("out of order")
		}
		last = ev.At
		count++
	}
	if count != 101 || q.merged == 0 {
		t.Errorf("%d events are left, want the newest of 100 members and a conflict; %d merged", count, q.merged)
	}
}

func TestMemberlistsLinesBecomeRecords(t *testing.T) {
	for _, tc := range []struct{ line, level, text string }{
		{"[DEBUG] memberlist: Stream connection from=1.2.3.4\n", "DEBUG", "Stream connection from=1.2.3.4"},
		{"[INFO] memberlist: Marking s1 as failed", "INFO", "Marking s1 as failed"},
		{"[WARN] memberlist: [odd] text", "WARN", "[odd] text"},
		{"[ERR] memberlist: Push/Pull with s1 failed", "WARN", "Push/Pull with s1 failed"},
		{"Err: Could not set the deadline", "WARN", "Err: Could not set the deadline"},
		{"", "WARN", ""},
	} {
		level, text := parseLine(tc.line)
		if level.String() != tc.level || text != tc.text {
			t.Errorf("%q became %v %q", tc.line, level, text)
		}
	}
}

func TestAFloodOfLinesIsCutAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		suspects := 0
		l := newLogger(slog.New(slog.NewTextHandler(&out, nil)), func(string) { suspects++ }, nil)
		for range 1000 {
			l.Print("[INFO] memberlist: Suspect s1#1-A has failed, no acks received")
		}
		time.Sleep(linesPer)
		l.Print("[WARN] memberlist: the last one")
		if n := strings.Count(out.String(), "Suspect"); n != maxLines || suspects != 1000 {
			t.Errorf("%d lines logged, %d suspicions noted", n, suspects)
		}
		if !strings.Contains(out.String(), "count=950") || !strings.Contains(out.String(), "the last one") {
			t.Error(out.String())
		}
	})
}

func TestWhatGoesWrongAtTheEndIsNoNews(t *testing.T) {
	var out strings.Builder
	closed := make(chan struct{})
	l := newLogger(slog.New(slog.NewTextHandler(&out, nil)), func(string) {}, closed)
	l.Print("[ERR] memberlist: Failed to send ping: write udp: use of closed network connection (before)")
	close(closed)
	l.Print("[ERR] memberlist: Failed to send ping: write udp: use of closed network connection (after)")
	if !strings.Contains(out.String(), "(before)") || strings.Contains(out.String(), "(after)") {
		t.Error(out.String())
	}
}

func TestSeedsAreReadInEveryForm(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.42.11":        "192.168.42.11:7946",
		"192.168.42.11:8000":   "192.168.42.11:8000",
		"fd00::1":              "[fd00::1]:7946",
		"[fd00::1]:8000":       "[fd00::1]:8000",
		"::ffff:192.168.42.11": "192.168.42.11:7946",
		"lb":                   "lb 7946",
		"lb.example.net:8000":  "lb.example.net 8000",
	} {
		s, err := parseSeed(text)
		got := s.addr.String()
		if !s.addr.IsValid() {
			got = fmt.Sprint(s.host, " ", s.port)
		}
		if err != nil || got != want {
			t.Errorf("%q became %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":7946", "lb:", "lb:0", "lb:70000", "http://lb", "a b", "[fd00::1", "lb:http"} {
		if s, err := parseSeed(text); err == nil {
			t.Errorf("%q was taken for %+v", text, s)
		}
	}
}
