package control

import (
	"testing"
	"time"
)

func TestADifferenceOfConfigurationsIsSaidOnceAndThatItIsOver(t *testing.T) {
	var d difference
	now := time.Unix(0, 0)
	for i, c := range []struct {
		after  time.Duration
		others []string
		say    bool
	}{
		{0, nil, false},
		{time.Second, []string{"lb2"}, false},        // a reload, one after the other
		{time.Second, nil, false},                    // nothing was said, so nothing is over
		{time.Second, []string{"lb2"}, false},        // begins anew
		{29 * time.Second, []string{"lb2"}, false},   //
		{time.Second, []string{"lb2"}, true},         // it lasts
		{time.Hour, []string{"lb2"}, false},          // said already
		{time.Second, []string{"lb2", "lb3"}, true},  // others
		{time.Second, []string{"lb2", "lb3"}, false}, //
		{time.Second, nil, true},                     // over
		{time.Second, nil, false},                    //
		{time.Second, []string{"lb2"}, false},        //
		{2 * differTime, []string{"lb2"}, true},      //
		{time.Millisecond, []string{"lb2"}, false},   //
		{time.Millisecond, nil, true},                //
		{time.Millisecond, []string{"lb2"}, false},   //
		{differTime - 1, []string{"lb2"}, false},     //
		{time.Nanosecond, []string{"lb2"}, true},     //
	} {
		now = now.Add(c.after)
		if got := d.look(c.others, now); got != c.say {
			t.Errorf("step %d, %v: said %v, want %v", i, c.others, got, c.say)
		}
	}
}
