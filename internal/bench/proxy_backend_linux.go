package main

import (
	"bytes"
	"net"
	"strconv"
)

const bigBody = 1 << 20

// serveBackend answers requests without parsing more than it needs: "/big" gets
// 1 MiB, everything else two bytes, and what ends in "close" is the last.
func serveBackend(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	small := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok")
	big := append([]byte("HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(bigBody)+"\r\n\r\n"), make([]byte, bigBody)...)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go answerAll(c, small, big)
	}
}

func answerAll(c net.Conn, small, big []byte) {
	defer c.Close()
	end, last, path := []byte("\r\n\r\n"), []byte("lose\r\n\r\n"), []byte("GET /big ")
	buf := make([]byte, 4096)
	for n := 0; ; {
		k, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		n += k
		if n == len(buf) {
			return
		}
		if !bytes.HasSuffix(buf[:n], end) {
			continue
		}
		answer := small
		if bytes.HasPrefix(buf[:n], path) {
			answer = big
		}
		if _, err := c.Write(answer); err != nil || bytes.HasSuffix(buf[:n], last) {
			return
		}
		n = 0
	}
}
