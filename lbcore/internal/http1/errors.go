package http1

// An Error says why a message was refused. All values are predeclared: returning one allocates nothing, and one
// may be compared by pointer within a process.
//
// The parsers return *Error, never an error interface; test it against nil before turning it into an error.
type Error struct {
	Status int    // what to answer the client with: 400, 413, 414, 417, 431, 501, 505; always 502 for a response
	Reason string // a short stable name such as "cl-and-te", for logs, counters and tests
}

// Error implements error.
func (e *Error) Error() string { return "http1: " + e.Reason }
