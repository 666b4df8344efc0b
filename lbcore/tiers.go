package lbcore

// tiers says who of a pool is given requests: those that are up; the backups only while
// nobody else is up; and, when fewer than a threshold are up, all that have ever been
// checked, for then it is likelier that the checks are wrong, or the load too much for so
// few, than that so many died at once (Envoy's panic threshold).
type tiers struct {
	avail  []*Backend
	spare  bool // avail are the backups
	panics bool // avail are all, whatever their checks say
}

// tiersOf is told the threshold in percent; 0 means never. Who drains counts for nothing.
func tiersOf(backends []*Backend, threshold int) (t tiers) {
	var backups, known []*Backend
	for _, b := range backends {
		st, well := b.status.Load(), b.well()
		switch {
		case b.drain.Load():
		case b.backup.Load():
			if well {
				backups = append(backups, b)
			}
		default:
			if well {
				t.avail = append(t.avail, b)
			}
			if st.up || !st.checked.IsZero() {
				known = append(known, b)
			}
		}
	}
	switch {
	case len(t.avail) == 0 && len(backups) > 0:
		return tiers{avail: backups, spare: true}
	case len(t.avail)*100 < threshold*len(known):
		return tiers{avail: known, panics: true}
	}
	return t
}

// tell logs that who is given requests has changed in kind.
func (p *Pool) tell(old, now tiers) {
	log := p.proxy.log.With("pool", p.name, "given_requests", len(now.avail))
	switch {
	case now.panics && !old.panics:
		log.Warn("too few backends are up: all are given requests", "panic_threshold", p.cfg.PanicThreshold)
	case old.panics && !now.panics:
		log.Info("enough backends are up again: only they are given requests")
	}
	switch {
	case now.spare && !old.spare:
		log.Warn("no backend is up but the backups: they are given requests")
	case old.spare && !now.spare && len(now.avail) > 0:
		log.Info("a backend is up again: the backups are given no requests")
	}
}
