package election

import "cmp"

// toldLossless takes in what has been found out about this node, or about the way from a peer.
func (m *Machine) toldLossless(ev Lossless) {
	_, known := m.lossyTo[ev.To]
	switch {
	case ev.To == "":
		m.lossless, m.notLossless = ev.OK, ev.Reason
	case ev.OK:
		delete(m.lossyTo, ev.To)
	case known || len(m.lossyTo) < MaxPeers:
		m.lossyTo[ev.To] = cmp.Or(ev.Reason, "what it forwards does not arrive")
	}
}

// lossyBecause returns why this node could take no part in a handover without loss. An active
// cannot while it has no way to speak to whom it would hand over.
func (m *Machine) lossyBecause() string {
	if !m.lossless {
		return m.notLossless
	}
	if m.state != Active {
		return ""
	}
	if p, _ := m.target(""); p != nil && m.links[p.Node] != p.Boot {
		return "no state channel to " + p.Node
	}
	return ""
}
