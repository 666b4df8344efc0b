package lab

// Deafen drops every frame to h from all hosts that the lab has now, at the same instant; what h sends still arrives.
// Undeafen, or Undrop of each of them, undoes it.
func (h *Host) Deafen() error { return h.lab.setDrops(true, h.dropsTo()...) }

// Undeafen undoes Deafen, at the same instant for all.
func (h *Host) Undeafen() error { return h.lab.setDrops(false, h.dropsTo()...) }

func (h *Host) dropsTo() (list []drop) {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	for _, other := range h.lab.order {
		if other != h {
			list = append(list, drop{other.name, h.name})
		}
	}
	return list
}
