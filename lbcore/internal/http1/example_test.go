package http1_test

import (
	"fmt"
	"strings"

	"github.com/tandem-lb/tandem/lbcore/internal/http1"
)

// A request in two pieces goes on to a backend; the chunked body is decoded and framed anew.
func Example() {
	pieces := []string{
		"POST http://shop.example/cart?id=7 HTTP/1.1\r\nHost: shop.example\r\nConnect",
		"ion: keep-alive, X-Debug\r\nX-Debug: on\r\nX-Forwarded-For: 127.0.0.1\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n5;note=x\r\nhello\r\n0\r\n\r\n",
	}
	var (
		req http1.Request
		buf []byte
		n   int
	)
	for _, piece := range pieces {
		var err *http1.Error
		buf = append(buf, piece...)
		if n, err = req.Parse(buf, nil); err != nil {
			fmt.Println(err.Status, err.Reason)
			return
		}
	}

	out := http1.AppendRequest(nil, &req, &http1.Forward{Client: []byte("192.0.2.1"), KeepAlive: true})
	var body http1.BodyReader
	body.Reset(req.Body, 1<<20, false)
	for rest := buf[n:]; ; {
		data, n, done, err := body.Next(rest)
		if err != nil {
			fmt.Println(err.Status, err.Reason)
			return
		}
		out = http1.AppendChunk(out, data)
		if rest = rest[n:]; done {
			out = append(out, http1.LastChunk...)
			break
		}
	}
	fmt.Print(strings.ReplaceAll(string(out), "\r\n", "\n"))
	// Output:
	// POST /cart?id=7 HTTP/1.1
	// Host: shop.example
	// X-Forwarded-For: 192.0.2.1
	// Transfer-Encoding: chunked
	//
	// 5
	// hello
	// 0
}

func ExampleRequest_Parse() {
	var req http1.Request
	_, err := req.Parse([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), nil)
	fmt.Println(err.Status, err.Reason)

	answer := http1.AppendError(nil, &http1.Answer{Status: err.Status, CloseConn: true})
	fmt.Println(strings.SplitN(string(answer), "\r\n", 2)[0])
	// Output:
	// 400 cl-and-te
	// HTTP/1.1 400 Bad Request
}
