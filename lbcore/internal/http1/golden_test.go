package http1

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestHeadsAreSentOnAsWritten runs testdata/request.txt and response.txt: a head as it comes, and below the line the
// head as it goes on. Lines end with CRLF on the wire; "\t" and the like are written as in Go. To rewrite the
// results: go test ./lbcore/internal/http1 -rewrite; read the diff before you commit it.
func TestHeadsAreSentOnAsWritten(t *testing.T) {
	for _, file := range []string{"testdata/request.txt", "testdata/response.txt"} {
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			in := strings.ReplaceAll(d.Input+"\n\n", "\n", "\r\n")
			in = strings.NewReplacer(`\t`, "\t", `\s`, " ").Replace(in)
			if d.Cmd == "request" {
				return sentRequest(t, d, in)
			}
			return sentResponse(t, d, in)
		})
	}
}

func arg(d *datadriven.TestData, key string) (value []byte) {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			return []byte(strings.Join(a.Vals, ""))
		}
	}
	return nil
}

func sentRequest(t *testing.T, d *datadriven.TestData, in string) string {
	parseRequest(t, in, nil)
	var r Request
	n, err := r.Parse([]byte(in), nil)
	if err != nil {
		return fmt.Sprintf("%d %s\n", err.Status, err.Reason)
	}
	out := AppendRequest(nil, &r, &Forward{
		Client: arg(d, "client"), Port: arg(d, "port"), Proto: arg(d, "proto"), Hop: arg(d, "hop"), Trusted: d.HasArg("trusted"),
		Host: arg(d, "host"), Via: arg(d, "via"), Expect100: d.HasArg("expect"), Upgrade: d.HasArg("upgrade"), KeepAlive: !d.HasArg("close"),
	})
	if again := parseRequest(t, string(out), nil); again.Body != r.Body {
		t.Errorf("%q has body %+v, want %+v", out, again.Body, r.Body)
	}
	return printed(t, out, n == len(in))
}

func sentResponse(t *testing.T, d *datadriven.TestData, in string) string {
	head, p := d.HasArg("head"), Reply{Minor: 1, KeepAlive: !d.HasArg("close"), Date: arg(d, "date"), Via: arg(d, "via")}
	if d.HasArg("old") {
		p.Minor = 0
	}
	parseResponse(t, in, nil, head)
	var r Response
	n, err := r.Parse([]byte(in), nil, askedFor(head))
	if err != nil {
		return fmt.Sprintf("%d %s\n", err.Status, err.Reason)
	}
	out := AppendResponse(nil, &r, &p)
	if len(out) == 0 {
		return "nothing\n"
	}
	if again := parseResponse(t, string(out), nil, head); again.Body != p.Framing(&r) {
		t.Errorf("%q has body %+v, want %+v", out, again.Body, p.Framing(&r))
	}
	return printed(t, out, n == len(in))
}

func printed(t *testing.T, out []byte, whole bool) string {
	if !whole || !bytes.HasSuffix(out, []byte("\r\n\r\n")) {
		t.Errorf("head not taken as a whole, or not ended: %q", out)
	}
	text := strings.ReplaceAll(string(out[:len(out)-len("\r\n")]), "\r\n", "\n")
	return strings.ReplaceAll(text, "\t", `\t`)
}
