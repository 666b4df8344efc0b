package http1

import (
	"bytes"
	"reflect"
	"testing"
)

// A snapshot is all that a parsed request says, copied.
type snapshot struct {
	N                              int
	Reason                         string
	Method, Target, Host, Upgrade  string
	Minor                          int
	Body                           Body
	KeepAlive, Expect100           bool
	Fields                         []string
	Sent                           string
	Status                         int
	StatusReason                   string
	ContentLength                  int64
	Interim                        bool
	ErrorStatus, ReplyMinor0Length int
}

func sameSnapshot(a, b snapshot) bool { return reflect.DeepEqual(a, b) }

var plainForward = &Forward{Client: []byte("192.0.2.1"), Port: []byte("80"), Proto: []byte("http"), Host: []byte("fallback"), KeepAlive: true}

func fieldsOf(h *head) (all []string) {
	for i := range h.NumFields() {
		name, value := h.Field(i)
		all = append(all, string(name)+"|"+string(value))
	}
	return all
}

func requestSnapshot(r *Request, n int, err *Error) snapshot {
	switch {
	case err != nil:
		return snapshot{Reason: err.Reason, ErrorStatus: err.Status}
	case n == 0:
		return snapshot{Reason: "incomplete"}
	}
	return snapshot{
		N: n, Method: string(r.Method), Target: string(r.Target), Host: string(r.Host), Upgrade: string(r.Upgrade),
		Minor: r.Minor, Body: r.Body, KeepAlive: r.KeepAlive, Expect100: r.Expect100,
		Fields: fieldsOf(&r.head), Sent: string(AppendRequest(nil, r, plainForward)),
	}
}

func responseSnapshot(r *Response, n int, err *Error) snapshot {
	switch {
	case err != nil:
		return snapshot{Reason: err.Reason, ErrorStatus: err.Status}
	case n == 0:
		return snapshot{Reason: "incomplete"}
	}
	return snapshot{
		N: n, Minor: r.Minor, Status: r.Status, StatusReason: string(r.Reason), Body: r.Body, KeepAlive: r.KeepAlive,
		ContentLength: r.ContentLength, Interim: r.Interim(), Upgrade: string(r.Upgrade), Fields: fieldsOf(&r.head),
		Sent:              string(AppendResponse(nil, r, &Reply{Minor: 1, KeepAlive: true})),
		ReplyMinor0Length: len(AppendResponse(nil, r, &Reply{Minor: 0, KeepAlive: true})),
	}
}

// inSteps calls parse with ever longer beginnings of in, step bytes more each time, until it decides. Each
// beginning is in a place of its own and the one before is overwritten, so that nothing may point there.
func inSteps(in []byte, step int, parse func([]byte) (int, *Error)) (n int, err *Error) {
	var before []byte
	for have := 0; ; {
		have = min(have+step, len(in))
		buf := bytes.Clone(in[:have])
		for i := range before {
			before[i] = 'X'
		}
		before = buf
		if n, err = parse(buf); n != 0 || err != nil || have == len(in) {
			return n, err
		}
	}
}

// steps are the sizes of the pieces in which a message is fed; long ones would take long byte by byte.
func steps(in string) []int {
	if len(in) > 2000 {
		return []int{61, 1021}
	}
	return []int{1, 2, 7}
}

// parseRequest parses in whole, then in steps, and fails if that makes a difference.
func parseRequest(t testing.TB, in string, lim *Limits) snapshot {
	t.Helper()
	var r Request
	n, err := r.Parse([]byte(in), lim)
	whole := requestSnapshot(&r, n, err)
	for _, step := range steps(in) {
		r.Reset()
		n, err := inSteps([]byte(in), step, func(b []byte) (int, *Error) { return r.Parse(b, lim) })
		if got := requestSnapshot(&r, n, err); !sameSnapshot(got, whole) {
			t.Fatalf("%q\nin steps of %d: %+v\nwhole:         %+v", in, step, got, whole)
		}
	}
	return whole
}

// askedFor is what the tests' responses answer.
func askedFor(headOnly bool) Asked {
	return Asked{Head: headOnly, Upgrade: []byte("WebSocket, foo/2")}
}

// parseResponse does the same for a response.
func parseResponse(t testing.TB, in string, lim *Limits, headOnly bool) snapshot {
	t.Helper()
	asked := askedFor(headOnly)
	var r Response
	n, err := r.Parse([]byte(in), lim, asked)
	whole := responseSnapshot(&r, n, err)
	for _, step := range steps(in) {
		r.Reset()
		n, err := inSteps([]byte(in), step, func(b []byte) (int, *Error) { return r.Parse(b, lim, asked) })
		if got := responseSnapshot(&r, n, err); !sameSnapshot(got, whole) {
			t.Fatalf("%q\nin steps of %d: %+v\nwhole:         %+v", in, step, got, whole)
		}
	}
	return whole
}
