package loop

import (
	"runtime"
	"testing"
	"unsafe"
)

// What 10,000 entries take is what they are, and no earlier copies of them.
func TestEntriesLeaveNothingBehind(t *testing.T) {
	const n = 10_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var s entries
	for i := range uint32(n) {
		if got := s.grow(); got != i {
			t.Fatalf("entry %d has index %d", i, got)
		}
		s.at(i).fd = int32(i)
	}
	runtime.ReadMemStats(&after)
	for i := range uint32(n) {
		if s.at(i).fd != int32(i) {
			t.Fatalf("entry %d is another's", i)
		}
	}
	if took, need := after.TotalAlloc-before.TotalAlloc, uint64(n*unsafe.Sizeof(entry{})); took > need*3/2 {
		t.Errorf("%d bytes were allocated for %d", took, need)
	}
}
