package lbcore

// stickTo finds the backend that the request's cookie names, if it is given requests, and
// counts. The request must still be in its buffer.
func (x *exchange) stickTo() {
	x.sticky = nil
	if x.to == nil {
		return
	}
	pool := x.to.view.Load()
	if pool.sticky == nil {
		return
	}
	said := false
	for i := range x.req.NumFields() {
		name, value := x.req.Field(i)
		if !isCookie(name) {
			continue
		}
		b, here := pool.sticky.find(value)
		if said = said || here; b != nil {
			x.sticky = b
			break
		}
	}
	n := &pool.slots[x.w.slot].sticky
	switch {
	case x.sticky != nil:
		n.kept.Add(1)
	case said:
		n.lost.Add(1)
	default:
		n.fresh.Add(1)
	}
}

func isCookie(name []byte) bool {
	const cookie = "cookie"
	if len(name) != len(cookie) {
		return false
	}
	for i := range name {
		if name[i]|0x20 != cookie[i] {
			return false
		}
	}
	return true
}

// setCookie is the line that tells the client who has answered; nil where it knows.
func (x *exchange) setCookie() []byte {
	v := x.pool.sticky
	b := x.up.b
	if v == nil || b == x.sticky {
		return nil
	}
	if x.sticky != nil && x.attempts == 0 && v.has(x.sticky) {
		return nil // its own was only full
	}
	t := b.sticky.Load()
	switch {
	case t == nil || t.of != x.pool.cfg.Sticky:
		return nil // it is leaving, or a reload is under way
	case &x.c.via.proto[0] == &protoHTTPS[0]:
		return t.secure
	}
	return t.plain
}
