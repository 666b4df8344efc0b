package timeline

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// entryAt is an entry as the keeper would report it.
func entryAt(second int) Entry {
	return Entry{
		Time: noon.Add(time.Duration(second) * time.Second), Node: "lb2", Kind: KindState, Group: "default",
		From: "backup", To: "active", Reason: "active-silent", Peer: "lb1", Epoch: 7, Boot: 9, ID: uint64(second + 1),
		Evidence: &Evidence{Silence: 92 * time.Millisecond, Missed: 4, Rounds: 6, Answers: map[string]int{"wire": 1}, Proof: true, Signals: []string{"x"}, Fitness: 255, PeerFitness: 200},
		Phases:   &Phases{Detect: 21 * time.Millisecond, Decide: 70 * time.Millisecond},
	}
}

func FuzzDecode(f *testing.F) {
	line, err := Encode(entryAt(0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte("00000000 {}"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := Decode(line)
		if err != nil {
			return
		}
		again, err := Encode(e)
		if err != nil {
			return // a text that grows when it is written as JSON
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatalf("%q was read, written as %q, and then: %v", line, again, err)
		}
		last, err := Encode(back)
		if err != nil || !bytes.Equal(again, last) {
			t.Fatalf("%q and then %q, %v: want no change", again, last, err)
		}
	})
}

func TestAnEntryIsReadAsItWasWritten(t *testing.T) {
	want := entryAt(3)
	line, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	for i := range line[:len(line)-1] {
		bad := bytes.Clone(line)
		bad[i] ^= 0x02
		if _, err := Decode(bad); err == nil {
			t.Fatalf("byte %d was changed, and the line was read all the same: %q", i, bad)
		}
	}
	if _, err := Decode(bytes.Repeat([]byte("x"), MaxLine)); !errors.Is(err, ErrLong) {
		t.Errorf("a line of %d bytes: %v, want ErrLong", MaxLine, err)
	}
	long := want
	long.Detail = strings.Repeat("ä", maxText)
	if line, err = Encode(long); err != nil || len(line) > MaxLine || bytes.Contains(line, []byte("\ufffd")) {
		t.Errorf("a long detail: %d bytes, %v", len(line), err)
	}
}

// twoFiles are files as the keeper opens them.
func twoFiles(t *testing.T, dir string) (files []File, names []string) {
	t.Helper()
	for i := range 2 {
		name := filepath.Join(dir, fmt.Sprint("timeline.", i))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files, names = append(files, f), append(names, name)
	}
	return files, names
}

func TestTheLogSurvivesRestartsAndStaysInItsBound(t *testing.T) {
	const most = 3000 // some seven entries a file
	dir := t.TempDir()
	var last []Entry
	for run := range 10 {
		files, names := twoFiles(t, dir)
		l, err := open(most, files)
		if err != nil {
			t.Fatal(err)
		}
		got := l.Query(Filter{})
		if n := len(got); n > 0 && got[n-1].Seq != uint64(5*run) {
			t.Fatalf("run %d begins behind entry %d, want %d", run, got[n-1].Seq, 5*run)
		}
		if run > 2 && len(got) < 5 {
			t.Fatalf("run %d found %d entries, want all of a file at least", run, len(got))
		}
		for i, e := range got {
			if e.Seq != got[0].Seq+uint64(i) {
				t.Fatalf("run %d: entry %d stands at %d behind %d", run, e.Seq, i, got[0].Seq)
			}
		}
		if run > 0 {
			if diff := cmp.Diff(last[len(last)-1], got[len(got)-1]); diff != "" {
				t.Fatalf("run %d, last entry (-written +read):\n%s", run, diff)
			}
		}
		for i := range 5 {
			if err := l.Append(entryAt(5*run + i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
		last = l.Query(Filter{})
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || info.Size() > most {
				t.Fatalf("%s: %d bytes, %v; want %d at most", name, info.Size(), err, most)
			}
		}
	}
}

// A power cut may leave a part of the last line, and a disk may damage any.
func TestATornLineCostsOnlyItself(t *testing.T) {
	dir := t.TempDir()
	files, names := twoFiles(t, dir)
	l, err := Open(files...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if err := l.Append(entryAt(i)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines[1][20] ^= 1
	torn := append(bytes.Join(lines[:3], nil), lines[3][:40]...)
	if err := os.WriteFile(names[0], torn, 0o600); err != nil {
		t.Fatal(err)
	}
	files, _ = twoFiles(t, dir)
	if l, err = Open(files...); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(entryAt(9)); err != nil {
		t.Fatal(err)
	}
	files, _ = twoFiles(t, dir)
	if l, err = Open(files...); err != nil {
		t.Fatal(err)
	}
	var ids []uint64
	for _, e := range l.Query(Filter{}) {
		ids = append(ids, e.ID)
	}
	if diff := cmp.Diff([]uint64{1, 3, 10}, ids); diff != "" || l.Damaged() != 1 {
		t.Errorf("entries (-want +got):\n%s%d lines damaged, want 1", diff, l.Damaged())
	}
	if got := l.Newest(9); got != 10 {
		t.Errorf("the newest of the keeper is %d, want 10", got)
	}
	if got := l.Newest(8); got != 0 {
		t.Errorf("the newest of a keeper that wrote nothing is %d, want 0", got)
	}
}

func TestAQueryFilters(t *testing.T) {
	l, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		e := entryAt(i)
		if i%2 == 1 {
			e.Kind, e.Group = KindBackend, "web"
		}
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		f    Filter
		want []uint64
	}{
		{"all", Filter{}, []uint64{1, 2, 3, 4, 5, 6}},
		{"since", Filter{Since: noon.Add(4 * time.Second)}, []uint64{5, 6}},
		{"until", Filter{Until: noon.Add(2 * time.Second)}, []uint64{1, 2}},
		{"kind", Filter{Kinds: []string{KindBackend}}, []uint64{2, 4, 6}},
		{"group", Filter{Group: "default"}, []uint64{1, 3, 5}},
		{"after", Filter{After: 4}, []uint64{5, 6}},
		{"newest", Filter{Limit: 2, Kinds: []string{KindState}}, []uint64{3, 5}},
	} {
		var got []uint64
		for _, e := range l.Query(tc.f) {
			got = append(got, e.Seq)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
