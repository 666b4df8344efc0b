package owners

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

// story fills a book: a request every 5 ms from 0 on, and who answers each, one
// letter per host, "." for nobody. Answers arrive 1 ms after their request;
// those of a capital letter (the same host) 4 ms after it.
func story(answers ...string) *Book {
	b := NewBook("a", "b", "c")
	for i, who := range answers {
		sent := time.Duration(i) * 5 * ms
		n := b.Sent(sent)
		for _, h := range who {
			switch {
			case h == '.':
			case h < 'a':
				b.Answer(n, string(h+'a'-'A'), sent+4*ms)
			default:
				b.Answer(n, string(h), sent+1*ms)
			}
		}
	}
	return b
}

func everywhere(b *Book) *Book {
	for _, h := range []string{"a", "b", "c"} {
		b.Address(h, true, -ms)
	}
	return b
}

func TestOwnersAtOnceAreCountedOnlyWhereAnswersProveIt(t *testing.T) {
	for _, tc := range []struct {
		name string
		book *Book
		w    Window
		want Report
	}{
		{
			"nobody", everywhere(story(".", ".", ".")),
			Window{0, 15 * ms},
			Report{None: 15 * ms, Probes: 3},
		},
		{
			"one all along", everywhere(story("a", "a", "a")),
			Window{0, 15 * ms},
			Report{Max: 1, Hosts: []string{"a"}, None: 5 * ms, Probes: 3},
		},
		{
			"one answer is an owner, if a short one", everywhere(story(".", "a", ".")),
			Window{0, 15 * ms},
			Report{Max: 1, Hosts: []string{"a"}, None: 10 * ms, Probes: 3},
		},
		{
			"an orderly move", everywhere(story("a", "a", "b", "b")),
			Window{0, 20 * ms},
			Report{Max: 1, Hosts: []string{"a", "b"}, None: 5 * ms, Probes: 4},
		},
		{
			"an orderly move in the middle of a request", everywhere(story("a", "aB", "b", "b")),
			Window{0, 20 * ms},
			Report{Max: 1, Hosts: []string{"a", "b"}, None: 5 * ms, Probes: 4, Doubled: 1},
		},
		{
			"two owners for two requests", everywhere(story("a", "ab", "ab", "b")),
			Window{0, 20 * ms},
			Report{Max: 2, Hosts: []string{"a", "b"}, Two: 4 * ms, None: 5 * ms, Probes: 4, Doubled: 2},
		},
		{
			"two owners from the beginning", everywhere(story("ab", "ab", "ab")),
			Window{0, 15 * ms},
			Report{Max: 2, Hosts: []string{"a", "b"}, Two: 9 * ms, None: 5 * ms, Probes: 3, Doubled: 3},
		},
		{
			"three owners", everywhere(story("a", "abc", "abc", "b")),
			Window{0, 20 * ms},
			Report{Max: 3, Hosts: []string{"a", "b", "c"}, Two: 4 * ms, None: 5 * ms, Probes: 4, Doubled: 2},
		},
		{
			"they take turns: no instant in common", everywhere(story("a", "b", "a", "b")),
			Window{0, 20 * ms},
			Report{Max: 1, Hosts: []string{"a", "b"}, None: 5 * ms, Probes: 4},
		},
		{
			"a lost request between two owners proves nothing", everywhere(story("a", "a", ".", "b", "b")),
			Window{0, 25 * ms},
			Report{Max: 1, Hosts: []string{"a", "b"}, None: 10 * ms, Probes: 5},
		},
		{
			"outside the window it does not count", everywhere(story("ab", "ab", "a", "a")),
			Window{10 * ms, 20 * ms},
			Report{Max: 1, Hosts: []string{"a"}, None: 5 * ms, Probes: 2},
		},
		{
			"answers without the address are no ownership", func() *Book {
				b := story("ab", "ab", "ab")
				b.Address("a", true, -ms)
				return b
			}(),
			Window{0, 15 * ms},
			Report{Max: 1, Hosts: []string{"a"}, None: 5 * ms, Probes: 3},
		},
		{
			"the address without answers is none either", everywhere(story("a", "a", "a")),
			Window{0, 15 * ms},
			Report{Max: 1, Hosts: []string{"a"}, None: 5 * ms, Probes: 3},
		},
		{
			"an address that goes while its last answer is under way", func() *Book {
				b := story("a", "a", "a")
				b.Address("a", true, -ms)
				b.Address("a", false, 5*ms+500*time.Microsecond)
				return b
			}(),
			Window{0, 15 * ms},
			Report{Max: 1, Hosts: []string{"a"}, None: 10 * ms, Probes: 3},
		},
		{
			"a stranger counts: he draws the traffic", func() *Book {
				b := everywhere(story("a", "a", "a"))
				for n := range 3 {
					b.Answer(n, "02:00:00:00:00:99", time.Duration(n)*5*ms+2*ms)
				}
				return b
			}(),
			Window{0, 15 * ms},
			Report{Max: 2, Hosts: []string{"02:00:00:00:00:99", "a"}, Two: 8 * ms, None: 5 * ms, Probes: 3, Doubled: 3},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, tc.book.Report(tc.w)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSoleIsTheOnlyOwnerThatAnsweredHalf(t *testing.T) {
	for _, tc := range []struct {
		name string
		book *Book
		host string
		ok   bool
	}{
		{"one", everywhere(story("a", "a", "a", "a")), "a", true},
		{"one, with losses", everywhere(story("a", ".", ".", "a")), "a", true},
		{"one, hardly", everywhere(story("a", ".", ".", ".")), "a", false},
		{"a move within", everywhere(story("a", "a", "b", "b")), "", false},
		{"two", everywhere(story("ab", "ab", "ab", "ab")), "", false},
		{"nobody", everywhere(story(".", ".", ".", ".")), "", false},
		{"without the address", story("a", "a", "a", "a"), "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			host, ok := tc.book.Sole(Window{0, 20 * ms})
			if ok != tc.ok || ok && host != tc.host {
				t.Errorf("got %q %v, want %q %v", host, ok, tc.host, tc.ok)
			}
		})
	}
}

func TestTheBookForgetsTheOldestAndKeepsItsNumbers(t *testing.T) {
	b := everywhere(NewBook("a"))
	for i := range probesMax + 10 {
		at := time.Duration(i) * 5 * ms
		if n := b.Sent(at); n != i {
			t.Fatalf("request %d got the number %d", i, n)
		}
		b.Answer(i, "a", at+ms)
	}
	b.Answer(0, "a", ms) // long forgotten: ignored
	end := time.Duration(probesMax+10) * 5 * ms
	if len(b.probes) > probesMax {
		t.Errorf("keeps %d", len(b.probes))
	}
	got := b.Report(Window{end - 50*ms, end})
	if want := (Report{Max: 1, Hosts: []string{"a"}, None: 5 * ms, Probes: 10}); !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
	for i := range 3 * changesMax {
		b.Address("a", i%2 == 0, end)
	}
	if len(b.address["a"]) > changesMax {
		t.Errorf("keeps %d changes", len(b.address["a"]))
	}
}
