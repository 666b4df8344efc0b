package vip

import (
	"net"
	"testing"
	"time"
)

func TestOneMadAskerDoesNotTakeAllAnswers(t *testing.T) {
	var l limiter
	now := time.Unix(1000, 0)
	mad, sane := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	got := 0
	for range 10 * maxAnswers {
		if l.allow(mad, now) {
			got++
		}
	}
	if got != maxAnswersOfOne {
		t.Errorf("%d answers for one asker in a second, want %d", got, maxAnswersOfOne)
	}
	if !l.allow(sane, now) {
		t.Error("another asker goes without")
	}
	if !l.allow(mad, now.Add(time.Second)) {
		t.Error("the next second brings no new answers")
	}
	if !l.allow(mad, now.Add(-time.Hour)) {
		t.Error("a clock that went back stops the answers")
	}
}

func TestAllAskersTogetherAreBounded(t *testing.T) {
	var l limiter
	now := time.Unix(1000, 0)
	got := 0
	for i := range 10 * maxAnswers {
		if l.allow(net.HardwareAddr{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}, now) {
			got++
		}
	}
	if got != maxAnswers {
		t.Errorf("%d answers in a second, want %d", got, maxAnswers)
	}
}
