package lbcore

// hashKey is what a policy that sticks goes by; 0 for the others. The request must
// still be in its buffer.
func (x *exchange) hashKey(p *Pool) uint64 {
	if p == nil {
		return 0
	}
	cfg := p.view.Load().cfg
	if cfg.Policy != "hash" {
		return 0
	}
	switch {
	case x.raw:
	case cfg.Hash.On == HashPath:
		return hashBytes(x.req.Path())
	case cfg.Hash.On == HashHeader:
		if v := x.req.Get(cfg.hashHeader); v != nil {
			return hashBytes(v)
		}
	}
	return hashBytes(x.c.peer[:])
}
