package http1

// A Response is the head of one response, as Parse found it. Reuse and slices as for Request.
type Response struct {
	head

	Minor         int    // 0 or 1: HTTP/1.Minor
	Status        int    // 100 to 999
	Reason        []byte // may be empty
	Body          Body   // what follows on the wire: None for 1xx, 204, 304 and answers to HEAD
	ContentLength int64  // value of Content-Length, -1 if absent; says something even where Body is None
	KeepAlive     bool   // the backend connection may be used again after this message (never after an interim one alone)
}

// Parse reads the head of a response at the start of buf, as Request.Parse does; headOnly says that it
// answers a HEAD. Every error has Status 502. Interim responses (1xx) are reported like others: see Interim.
// 101 is an error, as this package never forwards Upgrade.
func (r *Response) Parse(buf []byte, lim *Limits, headOnly bool) (n int, err *Error) { panic("coming") }

// Interim says that another response to the same request follows (1xx).
func (r *Response) Interim() bool { return r.Status < 200 }

// Reset abandons a half-parsed message.
func (r *Response) Reset() { panic("coming") }

// Rebase points all slices into buf, which starts with a copy of the head that Parse read.
func (r *Response) Rebase(buf []byte) { panic("coming") }
