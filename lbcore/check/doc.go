// Package check asks whoever serves something whether it is well, and says in words what it
// found: a backend of a pool, and an agent's app, by the same questions and with the same
// words.
//
//	a, err := check.New(check.Question{Kind: check.HTTP, Path: "/healthz"})
//	err = a.Ask(ctx, addr, nil) // nil: it is well
//
// A question has a connection of its own, which is closed after it. What comes back is read
// up to a bound, and never shown as it came: see [Reason].
//
// Not here: when to ask, and what follows from an answer. That is the caller's.
package check
