package http1

// A Request is the head of one request, as Parse found it. Reuse one for many messages: it keeps its storage.
// Slices point into the buffer given to Parse and are good as long as that buffer is; after moving the head
// to another buffer call Rebase.
type Request struct {
	head

	Method    []byte // a token, case-sensitive
	Target    []byte // origin-form ("/a?b"; "?b" means "/?b", left by an absolute-form without a path) or "*"
	Host      []byte // host[:port] of the absolute-form or of Host; empty only in HTTP/1.0
	Minor     int    // 0 or 1: HTTP/1.Minor
	Body      Body   // None, Length or Chunked
	KeepAlive bool   // the client wishes to go on using the connection (RFC 9112, 9.3)
	Expect100 bool   // the client waits for 100 (Continue) before it sends the body (RFC 9110, 10.1.1)
	Upgrade   []byte // value of Upgrade, if rightly asked for and not h2c; nil otherwise
}

// Parse reads the head of a request at the start of buf. It returns the length of the head once it is
// complete, (0, nil) while it is not, and an error as soon as one can be known. After (0, nil) call it again with
// the same bytes and more behind them; they may have moved. No byte is looked at twice, so
// slow senders cost no more than fast ones. After n > 0 or an error, the next call starts a new message.
// A nil lim means DefaultLimits.
func (r *Request) Parse(buf []byte, lim *Limits) (n int, err *Error) { panic("coming") }

// Reset abandons a half-parsed message.
func (r *Request) Reset() { panic("coming") }

// Rebase points all slices into buf, which starts with a copy of the head that Parse read.
func (r *Request) Rebase(buf []byte) { panic("coming") }

// Path is the target without query ("*" for the asterisk-form).
func (r *Request) Path() []byte { panic("coming") }
