package http1

import "testing"

const browserRequest = "GET /assets/app.3f2a9c.js?v=12 HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"142\", \"Not A(Brand\";v=\"24\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: no-cors\r\n" +
	"Sec-Fetch-Dest: script\r\n" +
	"Referer: https://www.example.com/index.html\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1\r\n\r\n"

const wrkRequest = "GET / HTTP/1.1\r\nHost: 192.168.42.42\r\n\r\n"

const typicalResponse = "HTTP/1.1 200 OK\r\nServer: app\r\nDate: Sun, 22 Nov 2026 18:45:00 GMT\r\n" +
	"Content-Type: text/html; charset=utf-8\r\nContent-Length: 128\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n\r\n"

func benchmarkRequest(b *testing.B, in string) {
	var r Request
	buf, dst := []byte(in), make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if n, err := r.Parse(buf, nil); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
		dst = AppendRequest(dst[:0], &r, plainForward)
	}
}

func BenchmarkRequestBrowser(b *testing.B) { benchmarkRequest(b, browserRequest) }
func BenchmarkRequestWrk(b *testing.B)     { benchmarkRequest(b, wrkRequest) }

func BenchmarkResponse(b *testing.B) {
	var r Response
	buf, dst, p := []byte(typicalResponse), make([]byte, 0, 4096), &Reply{Minor: 1, KeepAlive: true}
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if n, err := r.Parse(buf, nil, Asked{}); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
		dst = AppendResponse(dst[:0], &r, p)
	}
}

func TestNothingIsAllocatedPerMessage(t *testing.T) {
	var (
		r   Request
		p   Response
		b   BodyReader
		dst = make([]byte, 0, 4096)
	)
	ask := []byte("GET http://b/ HTTP/1.1\r\nHost: [::1]:80\r\nConnection: x, close\r\nX: y\r\nX-Forwarded-For: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	bad := []byte("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
	body := []byte("5;a\r\nhello\r\n0\r\nA: b\r\n\r\n")
	answer := []byte(typicalResponse)
	forward := *plainForward
	forward.Trusted, forward.Via = true, []byte("tandem")
	if n := testing.AllocsPerRun(100, func() {
		if n, err := r.Parse(ask, nil); n == 0 || err != nil {
			t.Error(n, err)
		}
		dst = AppendRequest(dst[:0], &r, &forward)
		if _, err := r.Parse(bad, nil); err == nil {
			t.Error("accepted")
		}
		if n, err := p.Parse(answer, nil, Asked{}); n == 0 || err != nil {
			t.Error(n, err)
		}
		dst = AppendResponse(dst[:0], &p, &Reply{Minor: 0, KeepAlive: true})
		b.Reset(Body{Kind: Chunked}, 100, false)
		if _, _, done, err := b.Next(body); !done || err != nil {
			t.Error(done, err)
		}
		dst = append(AppendChunk(dst[:0], body), LastChunk...)
		dst = AppendError(dst[:0], &Answer{Status: 503, CloseConn: true})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
