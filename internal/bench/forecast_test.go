package main

import (
	"testing"
	"time"
)

func TestAForecastLearnsFromItsLikeAndThenFromItsStack(t *testing.T) {
	f := newForecast()
	todo := []repetition{{"stop", "tandem", 1}, {"stop", "keepalived-1s", 1}, {"power-loss", "tandem", 1}}
	if got, want := f.left(todo), 21*time.Second; got != want {
		t.Errorf("knowing nothing: %v, want %v", got, want)
	}
	f.add("stop", "tandem", 4*time.Second)
	f.add("stop", "tandem", 6*time.Second)
	f.add("nothing", "tandem", 2*time.Second)
	if got, want := f.left(todo), (5+7+4)*time.Second; got != want {
		t.Errorf("knowing Tandem: %v, want %v", got, want)
	}
}
