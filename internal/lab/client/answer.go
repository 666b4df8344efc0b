package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
)

// AnswerMax is the most bytes of an answer, head and body, that are accepted.
const AnswerMax = 64 << 10

var getRequest = &http.Request{Method: http.MethodGet}

// answer is what the bytes received so far say.
type answer struct {
	done bool // complete, or hopeless
	code int
	from string
	fail Kind
}

// parse reads the bytes of a connection as the answer to one GET; eof says that
// no more will come. It is called again with more bytes while done is false.
func parse(b []byte, eof bool, nameHeader string) answer {
	if len(b) > AnswerMax {
		return answer{done: true, fail: Malformed}
	}
	src := bytes.NewReader(b)
	resp, err := http.ReadResponse(bufio.NewReader(src), getRequest)
	if err != nil {
		short := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
		switch {
		case short && !eof:
			return answer{}
		case short:
			return answer{done: true, fail: Truncated}
		}
		return answer{done: true, fail: Malformed}
	}
	_, err = io.Copy(io.Discard, resp.Body)
	untilClose := resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return answer{done: true, code: resp.StatusCode, fail: Malformed}
	case (err != nil || untilClose) && !eof:
		return answer{}
	case err != nil:
		return answer{done: true, code: resp.StatusCode, fail: Truncated}
	}
	a := answer{done: true, code: resp.StatusCode, from: resp.Header.Get(nameHeader)}
	if a.code < 200 || a.code > 299 {
		a.fail = Status
	}
	return a
}
