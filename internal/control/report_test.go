package control

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/membership"
)

func big(backends int) report {
	p := api.Pool{Name: "web"}
	for i := range backends {
		p.Backends = append(p.Backends, api.Backend{
			ID: fmt.Sprintf("web-%d-%x", i, i*2654435761), State: "up", Requests: uint64(i * 7919), LastError: fmt.Sprintf("connect: refused by %d", i),
			Status: map[string]uint64{"2xx": uint64(i * 7907)}, ErrorsBy: map[string]uint64{"died": uint64(i * 31)},
		})
	}
	r := report{Status: api.Status{Node: "lb1", Pools: []api.Pool{p}, Members: []api.Member{{Name: "secret"}}}}
	for i := range maxNewest {
		r.Newest = append(r.Newest, api.Entry{Seq: uint64(i + 1), Detail: fmt.Sprint("detail ", i*48271)})
	}
	return r
}

func TestAReportFitsIntoAnAnswerWhateverItsSize(t *testing.T) {
	for _, backends := range []int{0, 3, 300, 1000, 3000, 20000} {
		b, err := big(backends).pack(membership.MaxQuestion)
		if err != nil || len(b) > membership.MaxQuestion {
			t.Errorf("%d backends: %d bytes, %v", backends, len(b), err)
			continue
		}
		r, err := unpack("lb1", b)
		if err != nil || r.Status.Node != "lb1" || len(r.Status.Members) != 0 {
			t.Errorf("%d backends: %v, of %q with %d members", backends, err, r.Status.Node, len(r.Status.Members))
		}
		got := len(r.Status.Pools[0].Backends)
		t.Logf("%d backends: %d bytes with %d of them, and %d entries", backends, len(b), got, len(r.Newest))
		if backends <= 1000 && got != backends {
			t.Errorf("of %d backends %d are told", backends, got)
		}
		if backends <= 300 && (len(r.Newest) != maxNewest || backends > 0 && r.Status.Pools[0].Backends[0].LastError == "") {
			t.Errorf("%d backends: something is left out though it would fit", backends)
		}
	}
}

func TestAReportThatIsNotTheNodesOwnIsRefused(t *testing.T) {
	b, err := big(1).pack(membership.MaxQuestion)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpack("lb2", b); err == nil || !strings.Contains(err.Error(), "lb1") {
		t.Errorf("lb1's report passes as lb2's: %v", err)
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 2 * maxReport >> 16 {
		if _, err := z.Write(make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
	}
	z.Close()
	for _, bad := range [][]byte{nil, b[:len(b)/2], []byte("{}"), bomb.Bytes()} {
		if _, err := unpack("lb1", bad); err == nil {
			t.Errorf("%d bytes of nonsense are a report", len(bad))
		}
	}
}

func FuzzUnpack(f *testing.F) {
	b, err := big(2).pack(membership.MaxQuestion)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := unpack("lb1", b)
		if err != nil {
			return
		}
		if r.Status.Node != "lb1" || len(r.Newest) > maxNewest || r.Status.Members != nil {
			t.Fatalf("accepted: %+v", r)
		}
		if _, err := r.pack(1 << 30); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
