package http1

import "testing"

func TestSmoke(t *testing.T) {
	var r Request
	in := "POST /a?b HTTP/1.1\r\nHost: x:80\r\nUser-Agent:  y \r\nAccept: */*\r\nConnection: close, X-A\r\nX-A: 1\r\nX-Forwarded-For: 1.2.3.4\r\nContent-Length: 5\r\n\r\nhello"
	n, err := r.Parse([]byte(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d %+v\n%s", n, r.Body, AppendRequest(nil, &r, &Forward{Client: []byte("9.9.9.9"), Port: []byte("80"), Proto: []byte("http"), Trusted: true}))
	var p Response
	n, err = p.Parse([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: x\r\n\r\n"), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d %+v\n%s", n, p.Body, AppendResponse(nil, &p, &Reply{Minor: 1, KeepAlive: true}))
	var b BodyReader
	b.Reset(p.Body, 0, true)
	data, n, done, err := b.Next([]byte("5;a=b\r\nhello\r\n0\r\n\r\nGET"))
	t.Logf("%q %d %v %v", data, n, done, err)
	t.Logf("%s", AppendError(nil, 404, true, false))
}
