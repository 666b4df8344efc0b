package lbcore

// health decides from the results of checks whether a backend is up. It is
// pure: no clock, no lock; its owner is the backend's checker.
//
//	new ──1 good──► up ──fall bad in a row──► down ──rise good in a row──► up
//	new ──1 bad───► down
//	down ──excused──► new
//
// A new backend is up after one good check, so that an app that joins is used
// at once; rise counts only after it has been down. A new one whose first check
// fails is still starting: it stays new, and one good check suffices later too.
type health struct {
	rise, fall int
	up         bool
	wasUp      bool // has ever been up, so rise counts from now on
	streak     int  // good checks in a row while down, bad ones while up
}

// good notes a good check and reports whether the backend came up by it.
func (h *health) good() bool {
	if h.up {
		h.streak = 0
		return false
	}
	h.streak++
	if h.wasUp && h.streak < h.rise {
		return false
	}
	h.up, h.wasUp, h.streak = true, true, 0
	return true
}

// bad notes a bad check or a failed connection and reports whether the backend
// went down by it.
func (h *health) bad() bool {
	if !h.up {
		h.streak = 0
		return false
	}
	h.streak++
	if h.streak < h.fall {
		return false
	}
	h.up, h.streak = false, 0
	return true
}

// excuse forgets bad checks that were not the backend's fault. One that is up needs
// fall of them from now on, one that is down is as good as new.
func (h *health) excuse() {
	h.streak = 0
	if !h.up {
		h.wasUp = false
	}
}
