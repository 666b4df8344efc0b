package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// teller is a balancer with a timeline that takes its time to answer.
type teller struct {
	log   *timeline.Log
	takes time.Duration
	says  string // its name
	asked int
}

func (p *teller) Ask(ctx context.Context, name string, question []byte) ([]byte, error) {
	p.asked++
	of, ok := strings.CutPrefix(string(question), askTimeline)
	if !ok {
		return nil, errors.New("something else was asked")
	}
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	b, err := tellTimeline(p.log, p.says, []byte(of), membership.MaxQuestion)
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return b, err
}

func newTeller(t *testing.T, entries int) *teller {
	t.Helper()
	log, err := timeline.Open()
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		kind := timeline.KindBackend
		if i%100 == 0 {
			kind = timeline.KindState
		}
		// what does not pack well
		e := timeline.Entry{Time: time.Unix(int64(i), 0), Node: "forged", Kind: kind, Group: "web", Name: fmt.Sprintf("%x", i*i*2654435761), Detail: strings.Repeat(fmt.Sprintf("%x", i*48271*i), 4)}
		if err := log.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return &teller{log: log, says: "lb2"}
}

// In fake time: packing takes a busy machine its time.
func TestTheWholeTimelineOfAnotherBalancerIsTold(t *testing.T) {
	synctest.Test(t, wholeTimeline)
}

func wholeTimeline(t *testing.T) {
	p := newTeller(t, 4000)
	got, err := askTimelineOf(t.Context(), p, "lb2", timelineQuestion{})
	if err != nil || got.cut || len(got.Entries) != 4000 {
		t.Fatalf("%d entries, cut %v, %v; want all 4000", len(got.Entries), got.cut, err)
	}
	for i, e := range got.Entries {
		if e.Seq != uint64(i+1) || e.Node != "lb2" {
			t.Fatalf("entry %d is %d of %s", i, e.Seq, e.Node)
		}
	}
	if p.asked < 2 || p.asked > maxPages {
		t.Errorf("it took %d answers", p.asked)
	}
	for _, c := range []struct {
		q    timelineQuestion
		want int
	}{
		{timelineQuestion{Kinds: []string{timeline.KindState}}, 40},
		{timelineQuestion{After: 3990}, 10},
		{timelineQuestion{Limit: 3}, 3},
		{timelineQuestion{Since: time.Unix(3900, 0), Until: time.Unix(3905, 0)}, 5},
		{timelineQuestion{Group: "other"}, 0},
	} {
		got, err := askTimelineOf(t.Context(), p, "lb2", c.q)
		if err != nil || len(got.Entries) != c.want {
			t.Errorf("%+v: %d entries, %v; want %d", c.q, len(got.Entries), err, c.want)
		}
	}
}

func TestTheClockOfWhoTellsIsKnownToHalfOfTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTeller(t, 1)
		p.takes = 3 * time.Millisecond
		got, err := askTimelineOf(t.Context(), p, "lb2", timelineQuestion{})
		if err != nil || got.clock.offset != 0 || got.clock.exact != 3*time.Millisecond {
			t.Errorf("%+v, %v; want no offset, exact to 3ms", got.clock, err)
		}
	})
	now := time.Unix(1000, 0)
	ahead := readClock(now, now.Add(time.Second), now.Add(10*time.Millisecond))
	if ahead.offset != 995*time.Millisecond || ahead.exact != 5*time.Millisecond {
		t.Errorf("%+v", ahead)
	}
	slow := clock{exact: time.Second, read: now.Add(time.Minute / 2)}
	if got := ahead.better(slow); got != ahead {
		t.Errorf("a less exact reading took the place of a fresh one: %+v", got)
	}
	if slow.read = now.Add(2 * clockAge); ahead.better(slow) != slow {
		t.Error("an old reading stays for ever")
	}
	if got := (clock{}).better(slow); got != slow {
		t.Errorf("the first reading is not taken: %+v", got)
	}
}

func TestWhoDoesNotTellInTimeIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTeller(t, 1)
		p.takes = time.Minute
		began := time.Now()
		_, err := askTimelineOf(t.Context(), p, "lb2", timelineQuestion{})
		if err == nil || !strings.Contains(err.Error(), "no answer within 2s") || time.Since(began) != timelinePatience {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
	p := newTeller(t, 1)
	p.says = "lb3"
	if _, err := askTimelineOf(t.Context(), p, "lb2", timelineQuestion{}); err == nil || !strings.Contains(err.Error(), `"lb3"`) {
		t.Errorf("another's timeline passes as lb2's: %v", err)
	}
}

func TestTheLastWordOfTheDeadIsKept(t *testing.T) {
	v := api.NodeView{Node: "lb2", ClockOffset: time.Second, ClockExact: time.Millisecond}
	for i := range maxNewest {
		v.Newest = append(v.Newest, api.Entry{Seq: uint64(i + 10), Node: "lb2", Kind: "state", Time: time.Unix(int64(i), 0)})
	}
	got := lastWord(v, timelineQuestion{After: 50})
	about := got.about("lb2")
	if len(got.Entries) != 9 || !about.Cut || about.Entries != 9 || about.ClockOffset != time.Second || got.Shift() != -time.Second {
		t.Errorf("%d entries, %+v, shifted by %v", len(got.Entries), about, got.Shift())
	}
}

func FuzzTellTimeline(f *testing.F) {
	log, err := timeline.Open()
	if err != nil {
		f.Fatal(err)
	}
	if err := log.Append(timeline.Entry{Kind: "state"}); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"kinds":["state"],"limit":1,"before":3}`))
	f.Add([]byte(`{"limit":-1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, question []byte) {
		b, err := tellTimeline(log, "lb1", question, membership.MaxQuestion)
		if err != nil {
			return
		}
		var a timelineAnswer
		if err := unsqueeze(b, &a); err != nil || a.Node != "lb1" || len(a.Entries) > 1 {
			t.Fatalf("answered %+v, %v", a, err)
		}
	})
}
