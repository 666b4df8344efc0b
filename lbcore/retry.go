package lbcore

// failure is how one attempt to get an answer from a backend ended, before any
// byte of the answer was sent to the client.
type failure struct {
	kind failureKind
	// sent says that a byte of the request was given to the kernel: the backend
	// may have received it.
	sent bool
	// reused says that the connection had served a request before, so that the
	// backend may have closed it just then.
	reused bool
	// repeatable says that the method is idempotent (RFC 9110, 9.2.2) and that
	// no byte of a body would be missing in a second attempt.
	repeatable bool
	// replayable says that all bytes of the request sent or taken from the
	// client so far are still at hand.
	replayable bool
	// attempts made so far, this one included.
	attempts int
	// repeated says that the request was already sent again once after a
	// backend may have received it.
	repeated bool
}

type failureKind uint8

const (
	connectFailed  failureKind = iota + 1 // refused, unreachable
	connectTimeout                        // no answer to the handshake
	died                                  // connection ended before any byte of an answer
	declaredDown                          // checks took the backend down while it was silent
	malformed                             // the answer's head is malformed or was cut
	serverTimeout                         // no answer in time
)

// ending is what the access log says of a request that ended so: who ended it, in which
// phase, and why. started says that its answer had begun.
func (k failureKind) ending(started bool) (who, phase byte, reason string) {
	switch {
	case k == serverTimeout && started:
		return 's', 'D', "timeout"
	case started:
		return 'S', 'D', "cut"
	case k == connectFailed:
		return 'S', 'C', "bad_gateway"
	case k == connectTimeout:
		return 's', 'C', "bad_gateway"
	case k == serverTimeout:
		return 's', 'H', "timeout"
	case k == malformed:
		return 'P', 'H', "bad_gateway"
	}
	return 'S', 'H', "bad_gateway"
}

// String says what happened, as a sentence about the backend.
func (k failureKind) String() string {
	switch k {
	case connectFailed:
		return "cannot be connected to"
	case connectTimeout:
		return "does not answer the handshake"
	case died:
		return "ended the connection before an answer"
	case declaredDown:
		return "went down before an answer"
	case malformed:
		return "gave a malformed or unfinished answer"
	case serverTimeout:
		return "did not answer in time"
	}
	return "unknown"
}

// verdict is what to do after a failure.
type verdict struct {
	// again says to try once more, on another backend if there is one.
	again bool
	// same says that without another backend the same one may be tried, on a
	// new connection.
	same bool
	// wait says to go on waiting: nothing better can be done.
	wait bool
	// status to answer the client with if not again, or if no backend is left.
	status int
}

// decide says what becomes of a request after a failure. It is pure.
//
// What no backend can have received is sent elsewhere, whatever the method.
// What one may have received is repeated only if that is harmless, and only
// once: a request that kills its backend must not kill the next ones.
func decide(f failure, retries int) verdict {
	v := verdict{status: 502}
	untouched := f.kind == connectFailed || f.kind == connectTimeout || !f.sent
	switch f.kind {
	case malformed:
		return v
	case serverTimeout:
		v.status = 504
		return v
	case connectTimeout:
		v.status = 504
	case declaredDown:
		v.wait = true
	}
	if f.attempts > retries || !f.replayable {
		return v
	}
	if untouched || f.repeatable && !f.repeated {
		v.again = true
		v.same = f.kind == died && f.reused
	}
	return v
}
