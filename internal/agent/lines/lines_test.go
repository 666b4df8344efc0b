package lines

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func split(max int, pieces ...string) []string {
	var got []string
	s := NewSplitter(max, func(text []byte, cut bool) {
		mark := map[bool]string{true: "…"}[cut]
		got = append(got, string(text)+mark)
	})
	for _, p := range pieces {
		if n, err := s.Write([]byte(p)); n != len(p) || err != nil {
			panic("a splitter takes all")
		}
	}
	s.End()
	return got
}

func TestTextIsCutIntoLinesOfBoundedLength(t *testing.T) {
	for _, tc := range []struct{ pieces, want []string }{
		{[]string{"one\ntwo\n"}, []string{"one", "two"}},
		{[]string{"on", "e\nt", "wo"}, []string{"one", "two"}},
		{[]string{"one\r\n\n\r\n"}, []string{"one", "", ""}},
		{[]string{"12345678\n"}, []string{"12345678"}},
		{[]string{"123456789\n"}, []string{"12345678…", "9"}},
		{[]string{"1234567", "89abcdefgh", "\n"}, []string{"12345678…", "9abcdefg…", "h"}},
		{[]string{"12345678", "\n"}, []string{"12345678"}},
		{[]string{"12345678"}, []string{"12345678"}},
		{nil, nil},
	} {
		if got := split(8, tc.pieces...); !slices.Equal(got, tc.want) {
			t.Errorf("%q: got %q, want %q", tc.pieces, got, tc.want)
		}
	}
}

func TestLinesDoNotDependOnHowTheyAreRead(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var text strings.Builder
		for range rnd.IntN(40) {
			text.WriteString([]string{"\n", "\r", "ab", "ü", "0123456789"}[rnd.IntN(5)])
		}
		whole := split(7, text.String())
		var pieces []string
		for rest := text.String(); rest != ""; {
			n := 1 + rnd.IntN(len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got := split(7, pieces...); !slices.Equal(got, whole) {
			t.Fatalf("seed %d: %q in pieces gives %q, at once %q", seed, pieces, got, whole)
		}
	}
}

func TestARingKeepsTheNewestWithinItsBound(t *testing.T) {
	r := NewRing(10 * (overhead + 10))
	for i := range 1000 {
		r.Add(Line{Process: []string{"a", "b"}[i%2], Text: fmt.Sprintf("line %05d", i+1)})
		if cap(r.lines) > 64 || r.size > r.max {
			t.Fatalf("after %d lines: room for %d, %d bytes", i+1, cap(r.lines), r.size)
		}
	}
	texts := func(p Page) string {
		var all []string
		for _, l := range p.Lines {
			if l.Text != fmt.Sprintf("line %05d", l.Seq) {
				t.Errorf("line %d is %q", l.Seq, l.Text)
			}
			all = append(all, fmt.Sprint(l.Seq))
		}
		return fmt.Sprintf("%s lost %d next %d %v", strings.Join(all, " "), p.Lost, p.Next, p.More)
	}
	for _, tc := range []struct {
		seq     uint64
		process string
		bytes   int
		want    string
	}{
		{0, "", 1 << 20, "991 992 993 994 995 996 997 998 999 1000 lost 990 next 1000 false"},
		{989, "", 1 << 20, "991 992 993 994 995 996 997 998 999 1000 lost 1 next 1000 false"},
		{990, "", 3 * (overhead + 10), "991 992 993 lost 0 next 993 true"},
		{997, "", 1 << 20, "998 999 1000 lost 0 next 1000 false"},
		{996, "a", 1 << 20, "997 999 lost 0 next 1000 false"},
		{999, "", 1, "1000 lost 0 next 1000 false"},
		{1000, "", 1 << 20, " lost 0 next 1000 false"},
		{7000, "", 1 << 20, " lost 0 next 1000 false"},
	} {
		if got := texts(r.After(tc.seq, tc.process, tc.bytes)); got != tc.want {
			t.Errorf("after %d of %q in %d bytes: %s, want %s", tc.seq, tc.process, tc.bytes, got, tc.want)
		}
	}
	for _, tc := range []struct {
		n       int
		process string
		want    uint64
	}{{3, "", 997}, {0, "", 1000}, {100, "", 990}, {2, "a", 996}} {
		if before := r.Before(tc.n, tc.process); before != tc.want {
			t.Errorf("the %d newest of %q begin after %d, want %d", tc.n, tc.process, before, tc.want)
		}
	}
	r.Add(Line{Text: strings.Repeat("x", 2000)})
	if got := texts(r.After(0, "", 1<<20)); got != " lost 1001 next 1001 false" {
		t.Errorf("a line that does not fit: %s", got)
	}
}
