package lbcore

// wish is what a caller of pick wants.
type wish struct {
	slot  int
	key   uint64     // what a policy that sticks goes by
	tried []*Backend // those that are not wanted
	// sticky is wanted before all others, if it is given requests; what waits for room
	// waits for it.
	sticky *Backend
	// scratch is the caller's memory for the rare case that not all are wanted or have
	// room; it grows to what is needed.
	scratch *[]*Backend
}

// choice is what pick found.
type choice struct {
	b    *Backend // nil: none
	held bool     // a place within its maxconn is taken: see Backend.leave
	full bool     // there is none, but only since all that might be have no room
}

// pick returns a backend that was not tried and has room.
func (v *poolView) pick(w wish) choice {
	if s := w.sticky; s != nil && v.sticky != nil && v.sticky.has(s) && !contains(w.tried, s) {
		if ok, held := s.enter(); ok {
			return choice{b: s, held: held}
		}
		if *v.cfg.Queue > 0 {
			return choice{full: true}
		}
	}
	b := v.pickAny(w)
	if b == nil {
		return choice{}
	}
	if ok, held := b.enter(); ok {
		return choice{b: b, held: held}
	}
	return v.pickRoom(w)
}

// pickAny heeds only what was tried.
func (v *poolView) pickAny(w wish) *Backend {
	avail := v.avail
	if len(w.tried) > 0 {
		if b := v.pickAnother(w); b != nil {
			return b
		}
		avail = w.among(v.avail, func(b *Backend) bool { return !contains(w.tried, b) })
	}
	if len(avail) == 0 {
		return nil
	}
	return v.policies[w.slot].Pick(avail, w.key)
}

// pickAnother asks the policy again, of many backends, rather than make a list
// without those that were tried; nil: make one.
func (v *poolView) pickAnother(w wish) *Backend {
	if len(v.avail) <= maxScanned {
		return nil
	}
	for range len(w.tried) + 1 {
		if b := v.policies[w.slot].Pick(v.avail, w.key); !contains(w.tried, b) {
			return b
		}
	}
	return nil
}

// pickRoom is pick after the policy's first choice had no room.
func (v *poolView) pickRoom(w wish) choice {
	for {
		roomy := w.among(v.avail, func(b *Backend) bool { return b.hasRoom() && !contains(w.tried, b) })
		if len(roomy) == 0 {
			return choice{full: true}
		}
		b := v.policies[w.slot].Pick(roomy, w.key)
		if ok, held := b.enter(); ok {
			return choice{b: b, held: held}
		} // else another loop was faster, and there is less room to look for
	}
}

// among is the list of those that are wanted, good until the next call.
func (w *wish) among(list []*Backend, wanted func(*Backend) bool) []*Backend {
	var out []*Backend
	if w.scratch != nil {
		out = (*w.scratch)[:0]
	}
	for _, b := range list {
		if wanted(b) {
			out = append(out, b)
		}
	}
	if w.scratch != nil {
		*w.scratch = out
	}
	return out
}

func contains(list []*Backend, b *Backend) bool {
	for _, x := range list {
		if x == b {
			return true
		}
	}
	return false
}
