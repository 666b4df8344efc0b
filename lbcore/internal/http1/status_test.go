package http1

import (
	"fmt"
	"strings"
	"testing"
)

func TestErrorsAreWholeResponses(t *testing.T) {
	for _, status := range []int{400, 403, 404, 408, 411, 413, 414, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505} {
		for _, closeConn := range []bool{false, true} {
			for _, head := range []bool{false, true} {
				out := AppendError(nil, &Answer{Status: status, CloseConn: closeConn, HeadOnly: head})
				var r Response
				n, err := r.Parse(out, nil, Asked{Head: head})
				if err != nil || r.Status != status || r.KeepAlive == closeConn || len(r.Reason) == 0 {
					t.Fatalf("%q: %v", out, err)
				}
				body := fmt.Sprintf("%d %s\n", status, r.Reason)
				if head {
					body = ""
				} else if r.ContentLength != int64(len(body)) {
					t.Errorf("%q: wrong length", out)
				}
				if string(out[n:]) != body {
					t.Errorf("%q: body %q, want %q", out, out[n:], body)
				}
			}
		}
	}
}

func TestOtherStatusesBecome500(t *testing.T) {
	for _, status := range []int{-1, 0, 100, 199, 600, 1 << 30} {
		if out := string(AppendError(nil, &Answer{Status: status, CloseConn: true})); !strings.HasPrefix(out, "HTTP/1.1 500 Internal Server Error\r\n") {
			t.Errorf("%d: got %q", status, out)
		}
	}
}

// Every reason is told from every other, and AppendError knows every status that the parser asks for.
func TestEveryRefusalHasANameAndAnAnswer(t *testing.T) {
	seen := map[string]bool{}
	for c := ok + 1; c < codes; c++ {
		e, g := refused[c], badGateway[c]
		if e.Reason == "" || seen[e.Reason] {
			t.Errorf("code %d: no name of its own: %q", c, e.Reason)
		}
		seen[e.Reason] = true
		if e.Status < 400 || reasons[e.Status] == "" {
			t.Errorf("%s: no answer for %d", e.Reason, e.Status)
		}
		if g.Status != 502 || g.Reason != e.Reason {
			t.Errorf("%s: %+v from a backend", e.Reason, g)
		}
		if got := e.Error(); got != "http1: "+e.Reason {
			t.Error(got)
		}
	}
}
