package vip

import "testing"

func TestFramesThatFindNoRoomAreCounted(t *testing.T) {
	w := &kernelWire{heard: make(chan Frame, HeardQueue)}
	for range HeardQueue + 10 {
		w.deliver(Frame{})
	}
	for range HeardQueue {
		if f := <-w.heard; f.Missed != 0 {
			t.Fatalf("%d missed before the queue was full", f.Missed)
		}
	}
	w.deliver(Frame{})
	if f := <-w.heard; f.Missed != 10 {
		t.Errorf("the next frame says that %d were missed, want 10", f.Missed)
	}
	w.deliver(Frame{})
	if f := <-w.heard; f.Missed != 0 {
		t.Errorf("counted twice: %d", f.Missed)
	}
}
