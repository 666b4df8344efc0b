package http1

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// A decoded is what a BodyReader made of some bytes.
type decoded struct {
	data   string
	n      int
	done   bool
	reason string
	status int
}

// decode gives in to a BodyReader in pieces of step bytes (0: as a whole), as an engine would.
func decode(body Body, limit int64, in string, step int) (d decoded) {
	var b BodyReader
	b.Reset(body, limit, false)
	if step == 0 {
		step = max(len(in), 1)
	}
	for have := 0; ; {
		have = min(have+step, len(in))
		for {
			data, n, done, err := b.Next([]byte(in[d.n:have]))
			d.data += string(data)
			d.n += n
			if err != nil {
				d.reason, d.status = err.Reason, err.Status
				return d
			}
			if d.done = done; done {
				return d
			}
			if n == 0 {
				break
			}
		}
		if have == len(in) {
			return d
		}
	}
}

// decodeBody decodes in whole and in pieces, and fails if that makes a difference.
func decodeBody(t testing.TB, body Body, limit int64, in string) decoded {
	t.Helper()
	whole := decode(body, limit, in, 0)
	for _, step := range steps(in) {
		if got := decode(body, limit, in, step); got != whole {
			t.Fatalf("%q\nin steps of %d: %+v\nwhole:         %+v", in, step, got, whole)
		}
	}
	return whole
}

func TestChunkedBodiesAreDecoded(t *testing.T) {
	long := strings.Repeat("x", 0x1234)
	for i, c := range []struct{ section, in, data string }{
		{"7.1 none", "0\r\n\r\n", ""},
		{"7.1 one", "5\r\nhello\r\n0\r\n\r\n", "hello"},
		{"7.1 two", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
		{"7.1 hex in both cases", "1234\r\n" + long + "\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", long + "01234567890123456789"},
		{"7.1 leading zeros", "0000000000000005\r\nhello\r\n000\r\n\r\n", "hello"},
		{"7.1 content looks like framing", "7\r\n0\r\n\r\n5\r\r\n0\r\n\r\n", "0\r\n\r\n5\r"},
		{"7.1.1 extensions", "5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n", "hello"},
		{"7.1.1 white space before one", "5 \t;a\r\nhello\r\n0 ; b = c\r\n\r\n", "hello"},
		{"7.1.1 as long as may be", "5;" + strings.Repeat("a", maxChunkExt-1) + "\r\nhello\r\n0\r\n\r\n", "hello"},
		{"7.1.2 trailers are dropped", "5\r\nhello\r\n0\r\nA: b\r\nContent-Length: 7\r\nC:\r\n\r\n", "hello"},
	} {
		t.Run(fmt.Sprintf("%02d %s", i, c.section), func(t *testing.T) {
			got := decodeBody(t, Body{Kind: Chunked}, 0, c.in+"GET / HTTP/1.1\r\n")
			if want := (decoded{data: c.data, n: len(c.in), done: true}); got != want {
				t.Errorf("%q:\ngot  %+v\nwant %+v", c.in, got, want)
			}
		})
	}
}

func TestChunkedBodiesThatMustBeRefused(t *testing.T) {
	const hello = "5\r\nhello"
	for i, c := range []struct{ section, in, data, reason string }{
		{"7.1", "\r\n", "", "chunk-size"},
		{"7.1", ";a\r\n", "", "chunk-size"},
		{"7.1", " 5\r\n", "", "chunk-size"},
		{"7.1", "-5\r\n", "", "chunk-size"},
		{"7.1", "+5\r\n", "", "chunk-size"},
		{"7.1", "0x5\r\n", "", "chunk-size"},
		{"7.1", "5g\r\n", "", "chunk-size"},
		{"7.1", "5_0\r\n", "", "chunk-size"},
		{"7.1", "5,5\r\n", "", "chunk-size"},
		{"7.1", "\xb2\r\n", "", "chunk-size"},
		{"7.1", "5 \r\nhello", "", "chunk-size"},
		{"7.1", "5\t5\r\nhello", "", "chunk-size"},
		{"7.1", "5\x00\r\nhello", "", "chunk-size"},
		{"7.1", "5\nhello", "", "bare-lf"},
		{"7.1", "5\rhello", "", "bare-cr"},
		{"7.1", "5\r\r\nhello", "", "bare-cr"},
		{"7.1", hello + "0\r\n\r\n", "hello", "chunk-end"},
		{"7.1", hello + "\n0\r\n\r\n", "hello", "chunk-end"},
		{"7.1", hello + "\r0\r\n\r\n", "hello", "chunk-end"},
		{"7.1", hello + "x\r\n0\r\n\r\n", "hello", "chunk-end"},
		{"7.1", hello + "\r\n\r\n0\r\n\r\n", "hello", "chunk-size"},
		{"7.1", "8000000000000000\r\n", "", "chunk-overflow"},
		{"7.1", "ffffffffffffffff\r\n", "", "chunk-overflow"},
		{"7.1", "10000000000000005\r\n", "", "chunk-overflow"},
		{"7.1", "00000000000000005\r\n", "", "chunk-overflow"},
		{"7.1", hello + "\r\n7fffffffffffffff\r\n", "hello", "chunk-overflow"},
		{"7.1.1", "5;a\nb\r\nhello", "", "bare-lf"},
		{"7.1.1", "5;a\rb\r\nhello", "", "bare-cr"},
		{"7.1.1", "5;a\x00\r\nhello", "", "chunk-ext"},
		{"7.1.1", "5;\"\x7f\"\r\nhello", "", "chunk-ext"},
		{"7.1.1", "5;" + strings.Repeat("a", maxChunkExt) + "\r\n", "", "chunk-ext-too-long"},
		{"7.1.1", "5" + strings.Repeat(" ", maxChunkExt+1) + ";\r\n", "", "chunk-ext-too-long"},
		{"7.1.2", "0\r\nA\r\n\r\n", "", "trailer"},
		{"7.1.2", "0\r\nA : b\r\n\r\n", "", "trailer"},
		{"7.1.2", "0\r\n: b\r\n\r\n", "", "trailer"},
		{"7.1.2", "0\r\n A: b\r\n\r\n", "", "trailer"},
		{"7.1.2", "0\r\nA: b\r\n c\r\n\r\n", "", "trailer"},
		{"7.1.2", "0\r\nA: \x00\r\n\r\n", "", "trailer"},
		{"7.1.2", "0\r\nA: b\n\r\n", "", "trailer"},
		{"7.1.2", "0\r\nA: b\rc\r\n\r\n", "", "bare-cr"},
		{"7.1.2", "0\r\n\n", "", "trailer"},
		{"7.1.2", "0\r\n\rX", "", "bare-cr"},
		{"7.1.2", "0\r\nGET / HTTP/1.1\r\n", "", "trailer"},
		{"7.1.2", "0\r\n" + strings.Repeat("A: b\r\n", maxTrailer/6+1), "", "trailer-too-long"},
	} {
		t.Run(fmt.Sprintf("%02d %s %s", i, c.section, c.reason), func(t *testing.T) {
			got := decodeBody(t, Body{Kind: Chunked}, 0, c.in)
			if got.reason != c.reason || got.status != 400 || got.data != c.data {
				t.Errorf("%.200q: got %+v, want %q and %s", c.in, got, c.data, c.reason)
			}
		})
	}
}

func TestChunkedBodiesAreBounded(t *testing.T) {
	const in = "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
	if got := decodeBody(t, Body{Kind: Chunked}, 10, in); !got.done {
		t.Errorf("limit 10: got %+v", got)
	}
	for _, in := range []string{in, "5\r\nhello\r\n5;a\r\nworld", "5\r\nhello\r\n5 ;a\r\nworld"} {
		got := decodeBody(t, Body{Kind: Chunked}, 9, in)
		if got.reason != "body-too-large" || got.status != 413 || got.data != "hello" {
			t.Errorf("limit 9: got %+v", got)
		}
	}
}

func TestOtherBodies(t *testing.T) {
	for _, c := range []struct {
		body Body
		want decoded
	}{
		{Body{}, decoded{done: true}},
		{Body{Length, 0}, decoded{done: true}},
		{Body{Length, 4}, decoded{data: "hell", n: 4, done: true}},
		{Body{Length, 5}, decoded{data: "hello", n: 5, done: true}},
		{Body{Length, 6}, decoded{data: "hello", n: 5}},
		{Body{Kind: UntilClose}, decoded{data: "hello", n: 5}},
	} {
		if got := decodeBody(t, c.body, 0, "hello"); got != c.want {
			t.Errorf("%+v: got %+v, want %+v", c.body, got, c.want)
		}
	}
}

func TestAnEndBeforeTheEndIsTruncation(t *testing.T) {
	const chunked = "5;a\r\nhello\r\n0\r\nA: b\r\n\r\n"
	for n := range len(chunked) + 1 {
		var b BodyReader
		b.Reset(Body{Kind: Chunked}, 0, true)
		for in := []byte(chunked[:n]); len(in) > 0; {
			_, n, _, err := b.Next(in)
			if err != nil {
				t.Fatal(err)
			}
			in = in[n:]
		}
		err := b.EOF()
		if whole := n == len(chunked); whole != (err == nil) || whole != b.Done() {
			t.Errorf("after %q: %v, done %v", chunked[:n], err, b.Done())
		}
		if err != nil && (err.Reason != "truncated" || err.Status != 502) {
			t.Errorf("got %+v", err)
		}
	}
	for _, c := range []struct {
		body      Body
		truncated bool
	}{{Body{}, false}, {Body{Length, 0}, false}, {Body{Length, 1}, true}, {Body{Kind: UntilClose}, false}} {
		var b BodyReader
		b.Reset(c.body, 0, false)
		if err := b.EOF(); c.truncated != (err != nil) {
			t.Errorf("%+v: %v", c.body, err)
		}
	}
}

// What is spliced past the reader counts as read.
func TestContentMayBeMovedByOtherMeans(t *testing.T) {
	var b BodyReader
	b.Reset(Body{Kind: Chunked}, 0, false)
	if b.Raw() != 0 {
		t.Errorf("before the first size: Raw is %d", b.Raw())
	}
	if data, n, done, err := b.Next([]byte("64\r\nabc")); string(data) != "abc" || n != 7 || done || err != nil {
		t.Fatal(string(data), n, done, err)
	}
	if b.Raw() != 97 {
		t.Errorf("Raw is %d, want 97", b.Raw())
	}
	b.Advance(90)
	b.Advance(7)
	if b.Raw() != 0 {
		t.Errorf("Raw is %d, want 0", b.Raw())
	}
	if data, n, done, err := b.Next([]byte("\r\n0\r\n\r\n")); len(data) != 0 || n != 7 || !done || err != nil {
		t.Error(string(data), n, done, err)
	}

	b.Reset(Body{Length, 10}, 0, false)
	b.Advance(b.Raw())
	if !b.Done() || b.EOF() != nil {
		t.Error("a Length body moved as a whole is not done")
	}
	b.Reset(Body{Kind: UntilClose}, 0, true)
	b.Advance(1 << 40)
	if b.Raw() != math.MaxInt64 || b.Done() {
		t.Errorf("UntilClose: Raw is %d, done %v", b.Raw(), b.Done())
	}
}

func TestChunksAreWrittenAsTheyAreRead(t *testing.T) {
	out := AppendChunk(nil, []byte("hello"))
	out = AppendChunk(out, nil) // would end the body
	out = append(AppendChunkHeader(out, 0x10), "0123456789abcdef"+ChunkEnd...)
	out = append(out, LastChunk...)
	if got, want := string(out), "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := decodeBody(t, Body{Kind: Chunked}, 0, string(out)); !got.done || got.data != "hello0123456789abcdef" {
		t.Errorf("read back: %+v", got)
	}
}
