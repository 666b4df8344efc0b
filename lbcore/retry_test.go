package lbcore

import "testing"

func TestRetry(t *testing.T) {
	get := failure{repeatable: true, replayable: true, sent: true, attempts: 1}
	post := failure{replayable: true, sent: true, attempts: 1}
	upload := failure{sent: true, attempts: 1} // a body was passed on and is gone
	with := func(f failure, change func(*failure)) failure { change(&f); return f }
	unsent := func(f *failure) { f.sent = false }
	reused := func(f *failure) { f.reused = true }
	kind := func(f failure, k failureKind) failure { f.kind = k; return f }
	again, give502, give504 := verdict{again: true, status: 502}, verdict{status: 502}, verdict{status: 504}

	for _, tc := range []struct {
		name string
		f    failure
		want verdict
	}{
		{"refused: whatever the method", with(kind(post, connectFailed), unsent), again},
		{"no connection in time: whatever the method", with(kind(post, connectTimeout), unsent), verdict{again: true, status: 504}},
		{"refused for the fourth time: enough", with(kind(get, connectFailed), func(f *failure) { f.sent, f.attempts = false, 4 }), give502},
		{"died with nothing sent: whatever the method", with(kind(post, died), unsent), again},
		{"died silent, GET: again", kind(get, died), again},
		{"died silent, POST: it may have been received", kind(post, died), give502},
		{"died silent on a kept connection, GET: the same backend will do", with(kind(get, died), reused), verdict{again: true, same: true, status: 502}},
		{"died silent on a kept connection, POST: it may have been received", with(kind(post, died), reused), give502},
		{"died silent, upload: the body is gone", kind(upload, died), give502},
		{"died silent a second time, GET: it kills backends", with(kind(get, died), func(f *failure) { f.attempts, f.repeated = 2, true }), give502},
		{"refused after it was repeated: still not received", with(kind(get, connectFailed), func(f *failure) { f.sent, f.attempts, f.repeated = false, 2, true }), again},
		{"declared down while silent, GET: again", kind(get, declaredDown), verdict{again: true, wait: true, status: 502}},
		{"declared down while silent, POST: wait", kind(post, declaredDown), verdict{wait: true, status: 502}},
		{"declared down before anything was sent, POST: again", with(kind(post, declaredDown), unsent), verdict{again: true, wait: true, status: 502}},
		{"malformed: final", kind(get, malformed), give502},
		{"no answer in time: final", kind(get, serverTimeout), give504},
	} {
		if got := decide(tc.f, 3); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
	if got := decide(with(kind(get, connectFailed), unsent), 0); got != give502 {
		t.Errorf("with no retries allowed: got %+v", got)
	}
}
