package http1

import "testing"

// RFC 9110, 6.5.1: trailers go on when they are asked for, but never what frames, routes or accuses.
func TestTrailersAreKeptWhenAskedFor(t *testing.T) {
	const in = "3\r\nabc\r\n0\r\nGrpc-Status: 0\r\nContent-Length: 7\r\nX-Forwarded-For: 1.2.3.4\r\ntransfer_encoding: chunked\r\ngrpc-message:  ok \r\n\r\n"
	for _, piece := range []int{1, 2, 7, len(in)} {
		var b BodyReader
		b.Reset(Body{Kind: Chunked}, 0, false)
		b.KeepTrailers()
		rest := []byte(in)
		for len(rest) > 0 {
			_, n, done, err := b.Next(rest[:min(piece, len(rest))])
			if err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; done && len(rest) > 0 {
				t.Fatalf("done before %q", rest)
			}
		}
		if got, want := string(b.AppendEnd(nil)), "0\r\nGrpc-Status: 0\r\ngrpc-message:  ok \r\n\r\n"; got != want {
			t.Errorf("in pieces of %d: %q, want %q", piece, got, want)
		}
		var names string
		EachField(b.Trailers(), func(name, value []byte) { names += string(name) + "=" + string(value) + ";" })
		if names != "Grpc-Status=0;grpc-message=ok;" {
			t.Errorf("fields %s", names)
		}
	}
}

func TestTrailersAreDroppedUnlessAskedFor(t *testing.T) {
	var b BodyReader
	b.Reset(Body{Kind: Chunked}, 0, false)
	if _, _, done, err := b.Next([]byte("0\r\nA: b\r\n\r\n")); !done || err != nil {
		t.Fatal(done, err)
	}
	if got := string(b.AppendEnd(nil)); got != LastChunk {
		t.Errorf("%q", got)
	}
}
