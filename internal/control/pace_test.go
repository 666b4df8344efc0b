package control

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// One event is looked at at once, and a burst a few times; its last event is never forgotten.
func TestABurstOfEventsIsAFewLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took = 3 * time.Millisecond
		var p pace
		events := make(chan int)
		go func() {
			defer close(events)
			time.Sleep(time.Second)
			for i := range 1000 {
				events <- i
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Minute)
		}()
		looks, last, seen := 0, -1, -1
		var lag time.Duration
		var at time.Time
		for open := true; open; {
			if now := time.Now(); p.due(now) {
				time.Sleep(took)
				p.done(now, time.Now())
				looks++
				if seen != last {
					seen, lag = last, time.Since(at)
				}
			}
			select {
			case <-p.rested():
				continue
			case i, ok := <-events:
				if open = ok; ok {
					last, at = i, time.Now()
				}
			}
		}
		if seen != 999 || lag > restFactor*took+took {
			t.Errorf("the last event seen is %d, %v after it happened", seen, lag)
		}
		if looks < 20 || looks > 40 {
			t.Errorf("%d looks in a burst of a second, want about 30", looks)
		}
	})
}

func TestOneEventIsLookedAtAtOnce(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	if !p.due(now) {
		t.Fatal("the first look is not due")
	}
	p.done(now, now.Add(time.Millisecond))
	if p.rested() != nil {
		t.Error("it waits for a look that nobody asked for")
	}
	if p.due(now.Add(5 * time.Millisecond)) {
		t.Error("due again within the rest")
	}
	if !p.due(now.Add(11 * time.Millisecond)) {
		t.Error("not due after the rest")
	}
	p.done(now, now.Add(time.Second))
	if !p.due(now.Add(time.Second + maxRest)) {
		t.Error("a slow look makes it rest for too long")
	}
}

func TestWhatIsRefusedIsSaidOnceAndNotWithoutEnd(t *testing.T) {
	var c complaints
	now := time.Unix(1000, 0)
	list := func(from, to int) (all []refusal) {
		for i := from; i < to; i++ {
			all = append(all, refusal{fmt.Sprint(i), "web", "no"})
		}
		return all
	}
	if got := c.news(list(0, 3), now); len(got) != 3 {
		t.Errorf("%d of 3 are said", len(got))
	}
	if got := c.news(list(0, 4), now); len(got) != 1 {
		t.Errorf("%d are said again, want the new one", len(got))
	}
	if got := c.news(list(100, 1000), now.Add(time.Second)); len(got) != maxComplaints-4 || c.leftOut != 0 {
		t.Errorf("%d of 900 are said, %d left out", len(got), c.leftOut)
	}
	if got := c.news(list(2000, 2001), now.Add(complaintsPer)); len(got) != 1 || c.leftOut != 900-(maxComplaints-4) {
		t.Errorf("a minute later %d are said, and that %d were left out", len(got), c.leftOut)
	}
}
