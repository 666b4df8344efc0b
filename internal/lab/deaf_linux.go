package lab

// Deafen drops every frame to h from all hosts that the lab has now, at the same instant; what h sends still arrives.
// Undeafen, or Undrop of each of them, undoes it.
func (h *Host) Deafen() error { return h.lab.setDrops(true, h.drops(true, false)...) }

// Undeafen undoes Deafen, at the same instant for all.
func (h *Host) Undeafen() error { return h.lab.setDrops(false, h.drops(true, false)...) }

// Silence drops every frame from h to all hosts that the lab has now, at the same instant; h hears what they send.
func (h *Host) Silence() error { return h.lab.setDrops(true, h.drops(false, true)...) }

// Unsilence undoes Silence, at the same instant for all.
func (h *Host) Unsilence() error { return h.lab.setDrops(false, h.drops(false, true)...) }

// Isolate does both at once: nothing passes, but the carrier stays.
func (h *Host) Isolate() error { return h.lab.setDrops(true, h.drops(true, true)...) }

// Unisolate undoes Isolate, Deafen and Silence, at the same instant for all.
func (h *Host) Unisolate() error { return h.lab.setDrops(false, h.drops(true, true)...) }

// drops are the directions between h and everybody else, to h, from h, or both.
func (h *Host) drops(to, from bool) (list []drop) {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	for _, other := range h.lab.order {
		if other == h {
			continue
		}
		if to {
			list = append(list, drop{other.anyPort(), h.anyPort()})
		}
		if from {
			list = append(list, drop{h.anyPort(), other.anyPort()})
		}
	}
	return list
}
